"""The table of merges in their order, with the bytes of each token."""

import torch

from practice_torch.experiments.autoregressive.tokenization import BytePairExperiment
from tests.support.samplers import built


def _learned():
    """Merges of (a b) and of that and c; the third row is of no pair."""
    experiment = built("autoregressive/tokenization")
    experiment.merges.copy_(torch.tensor([[97, 98], [256, 99], [-1, -1]]))
    return experiment


def shows_the_first_merges():
    experiment = _learned()
    assert experiment.sample(9)["tokens"].text == "256  'ab'\n257  'abc'"
    assert experiment.sample(1)["tokens"].text == "256  'ab'"


SAMPLERS = {
    shows_the_first_merges: {
        "a merge too many": (BytePairExperiment.sample, "256 + count", "257 + count"),
        "from the last byte": (BytePairExperiment.sample, "range(256,", "range(255,"),
        "pairs turned over": (BytePairExperiment.tokenizer, "((a, b) for", "((b, a) for"),
    }
}
