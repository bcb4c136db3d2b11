"""Texts of two letters by the conditionals of a known law: what one step fills in is independent, the rest is not."""

import torch

from practice_torch.experiments.diffusion.masked_diffusion import MaskedDiffusion, Unmasking
from tests.support.samplers import Network, built, require_shares

JOINT = torch.tensor([[0.55, 0.03, 0.04], [0.02, 0.16, 0.03], [0.06, 0.02, 0.09]])  # with two letters log E would do as noise
LETTERS, MASK = "abc", 256
COUNT = 8000


def _conditionals(tokens):
    """[B, 2] -> [B, 2, 257]: of a letter given the other one, or alone; a large logit for the mask."""
    logits = torch.full((*tokens.shape, MASK + 1), -60.0)
    logits[..., MASK] = 20.0
    codes = [ord(letter) for letter in LETTERS]
    for place, joint in ((0, JOINT.T), (1, JOINT)):
        table = torch.cat([joint, joint.sum(0, keepdim=True)]).log()  # given a letter, and alone; log p up to a constant
        other = tokens[:, 1 - place]
        row = torch.where(other == MASK, len(LETTERS), other - codes[0])
        logits[:, place, codes] = table[row]
    return logits


def _drawn(steps):
    experiment = built("diffusion/masked_diffusion", context=2)
    assert experiment.sampling == Unmasking(steps=2)
    experiment.sampling = Unmasking(steps=steps)
    experiment.network = Network(_conditionals)
    texts = experiment.sample(COUNT)["text"].text.split("\n\n")
    return torch.tensor([LETTERS.index(text[0]) * len(LETTERS) + LETTERS.index(text[1]) for text in texts])


def draws_the_law_of_its_steps():
    """T equal steps fill in both letters together with probability 1/T."""
    apart = JOINT.sum(1)[:, None] * JOINT.sum(0)
    for steps in (2, 4):
        require_shares(_drawn(steps), (JOINT * (1 - 1 / steps) + apart / steps).flatten())


SAMPLERS = {
    draws_the_law_of_its_steps: {
        "a step too many": (MaskedDiffusion.texts, "steps + 1, device", "steps + 2, device"),
        "unequal steps": (MaskedDiffusion.texts, "steps + 1, device=device)", "steps + 1, device=device) ** 4"),
        "the noise turned over": (MaskedDiffusion.texts, "-torch.empty_like", "torch.empty_like"),
        "exponential noise": (MaskedDiffusion.texts, ".exponential_(generator=self.generator).log()", ".exponential_()"),
    }
}
