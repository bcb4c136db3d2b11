"""Passages of counts: each byte has the law that the counts give to held-out text after the bytes before it."""

import torch

from practice_torch.experiments.autoregressive.ngram import NgramExperiment
from tests.support.samplers import built, require_shares

TEXT = b"\nabcabbacabacbbcabbabcacbabcabcabaacb\n" * 3


def _counted(name, **changes):
    """An experiment that has counted TEXT; its tokens have room for that."""
    experiment = built("autoregressive/ngram", name, **changes)
    windows = torch.tensor(list(TEXT)).unfold(0, experiment.recipe.order, 1)
    experiment.windows, experiment.counts = (torch.zeros(len(windows), dtype=torch.int64) for _ in range(2))
    experiment({"tokens": windows}, "count")
    return experiment


def _law(experiment, context):
    """P(byte | context [C]), [256], by what held-out bytes cost."""
    every = torch.cat([context.expand(256, -1), torch.arange(256)[:, None]], 1)
    return 2.0 ** -experiment.bits(every)[:, 0]


def draws_the_law_of_the_counts():
    """Of trigrams without the share of bytes that were never seen; passages begin after line's ends."""
    experiment = _counted("trigram", passage=30)
    experiment.weights[:, 0], experiment.weights[:, 1:] = 0.0, 1 / 3
    passages = experiment.sample(60)["text"].text.split("\n----\n")
    drawn = torch.tensor([list(b"\n\n" + passage.encode()) for passage in passages])
    assert drawn.shape == (60, 32)
    for context in drawn[:, :-1].unfold(1, 2, 1).flatten(0, 1).unique(dim=0):
        following = (drawn[:, :-2] == context[0]) & (drawn[:, 1:-1] == context[1])
        require_shares(drawn[:, 2:][following], _law(experiment, context))


def draws_byte_by_byte():
    """By both kinds of smoothing, all bytes included."""
    for name in ("witten-bell", "bigram", "unigram"):
        experiment = _counted(name, passage=12)
        generator, past = torch.Generator().manual_seed(0), experiment.recipe.order - 1
        rows = [[10] * past for _ in range(3)]
        for _ in range(12):
            laws = torch.stack([_law(experiment, torch.tensor(row[len(row) - past :], dtype=torch.int64)) for row in rows])
            for row, byte in zip(rows, torch.multinomial(laws, 1, generator=generator)[:, 0].tolist(), strict=True):
                row.append(byte)
        wanted = "\n----\n".join(bytes(row[past:]).decode(errors="replace") for row in rows)
        assert experiment.sample(3)["text"].text == wanted


SAMPLERS = {
    draws_the_law_of_the_counts: {
        "the context backward": (NgramExperiment.sample, "torch.cat([context.", "torch.cat([context.flip(1)."),
        "the first bytes as context": (NgramExperiment.sample, "written[:, written.shape[1] - past :]", "written[:, :past]"),
        "the roots of the law": (NgramExperiment.sample, ".exp().view", ".div(2).exp().view"),
    },
    draws_byte_by_byte: {
        "a byte too many": (NgramExperiment.sample, "written[:, past + 1 :]", "written[:, past:]"),
        "a context of zeros": (NgramExperiment.sample, 'ord("\\n")', "0"),
        "another passage": (NgramExperiment.sample, "range(self.recipe.passage)", "range(11)"),
    },
}
