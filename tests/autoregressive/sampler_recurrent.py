"""Texts of a known distribution, drawn from a state; and of a small LSTM, with the distribution of its full pass."""

import torch

from practice_torch.experiments.language import generation
from practice_torch.experiments.language.byte_language import ByteLanguageModel
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built, moved, require_same


def draws_the_law_of_the_letters():
    """Four times as many bytes as a window has."""
    experiment = built("autoregressive/recurrent", context=12)
    experiment.network = Letters()
    texts = experiment.sample(300)["text"].text.split("\n\n")
    assert len(texts) == 300 and {len(text) for text in texts} == {48}
    require_texts(texts, experiment.network.table)


def draws_from_the_state_as_from_the_past():
    """Of the LSTM itself: each byte is that of the uniform and of the logits of a pass over all bytes before it."""
    experiment = moved(built("autoregressive/recurrent"))
    uniforms = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    drawn = generation.generate_from_state(experiment.network, torch.full((4,), 10), uniforms, kinds=200)
    read = torch.cat([torch.full((4, 1), 10), drawn], 1)[:, :-1]
    shares = experiment.network(read)[..., :200].softmax(-1).cumsum(-1)
    require_same(drawn, (shares <= uniforms[..., None]).sum(-1))


SAMPLERS = {
    draws_the_law_of_the_letters: {
        "as long as a window": (ByteLanguageModel.sample, "_LONGER * self", "1 * self"),
        "a start of zeros": (ByteLanguageModel.sample, 'ord("\\n")', 'ord("a")'),
        "the first state in every step": (generation.generate_from_state, "logits, states = network", "logits, _ = network"),
    },
    draws_from_the_state_as_from_the_past: {
        "other kinds": (generation.generate_from_state, "logits[:, :kinds]", "logits[:, -kinds:]"),
        "the uniforms turned over": (generation.generate_from_state, "kinds], uniform)", "kinds], 1 - uniform)"),
    },
}
