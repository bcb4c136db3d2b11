"""Codes of a known prior, decoded by their vectors; and sounds of the requested classes."""

import torch
from torch import nn

from practice_torch.experiments.codes.quantized_codes import QuantizedCodes
from practice_torch.experiments.latent.vector_quantization import ImageQuantization, SoundQuantization
from tests.support.samplers import Network, built, require_shares


class Chain(nn.Module):
    """A prior of codes 0, 1, 2, each of which depends on the token before it: the first on the one that begins, 3 + class.

    Beyond the three codes it names tokens that begin, which no draw may have.
    """

    def __init__(self, tokens):
        super().__init__()
        self.context_length, self.tokens = 64, tokens
        self.table = torch.rand(tokens, 3, generator=torch.Generator().manual_seed(0)).square() + 0.02
        self.table /= self.table.sum(1, keepdim=True)

    def empty_cache(self, batch):
        return None

    def step(self, tokens, cache, position):
        logits = self.table[tokens[:, -1]].log()
        return torch.cat([logits, logits.new_full((len(logits), self.tokens - 3), 5.0)], 1)


def _require_chain(codes, begin, table):
    """codes [N, T], each row after its beginning [N]."""
    rows = torch.cat([begin[:, None], codes], 1)
    for token in rows[:, :-1].unique().tolist():
        require_shares(rows[:, 1:][rows[:, :-1] == token], table[token])


def draws_images_of_the_priors_codes():
    """The decoder shows the vectors at their places; that of code k is k/4."""
    experiment = built("latent/vector_quantization", "digits", codes=3, code_dim=1)
    experiment.prior = Chain(4)
    experiment.codebook.copy_(torch.arange(3.0)[:, None] / 4)
    experiment.decoder = Network(lambda z: z)
    images = experiment.sample(200)["prior_samples"].images
    assert images.shape == (200, 1, *experiment.grid)
    _require_chain((4 * images).round().long().flatten(1), torch.full((200,), 3), experiment.prior.table)


def draws_sounds_of_each_class():
    experiment = built("latent/vector_quantization", "notes", codes=3, code_dim=1)
    experiment.prior = Chain(6)
    experiment.codebook.copy_(torch.arange(3.0)[:, None] / 4)
    experiment.decoder = Network(lambda z: z)
    for label, sounds in enumerate(experiment.sample(600).values()):
        codes = (4 * sounds.samples).round().long()
        assert codes.shape == (200, *experiment.grid)
        _require_chain(codes, torch.full((200,), 3 + label), experiment.prior.table)


SAMPLERS = {
    draws_images_of_the_priors_codes: {
        "a token that begins as a code": (QuantizedCodes._of_next, "[..., : self.recipe.codes]", "[..., 1:]"),
        "the likeliest code": (QuantizedCodes._drawn_codes, ".softmax(-1)", ".mul(1e3).softmax(-1)"),
        "lists with their beginning": (QuantizedCodes._drawn_codes, "choose)[:, 1:]", "choose)[:, :-1].clamp(max=2)"),
        "other vectors": (QuantizedCodes._of_codes, "[codes.flatten()]", "[2 - codes.flatten()]"),
        "one code": (ImageQuantization.sample, "self._of_codes(", "self._of_codes(0 * "),
    },
    draws_sounds_of_each_class: {
        "no class": (SoundQuantization._drawn, "label if self.classes else torch", "torch"),
        "sounds of the next class": (SoundQuantization.sample, "drawn[label == k]", "drawn[label == (k + 1) % 3]"),
        "one beginning": (QuantizedCodes._begin, "as_int64(label)", "0 * as_int64(label)"),
    },
}
