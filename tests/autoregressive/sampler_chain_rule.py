"""Binary images with pixels that form a known chain in the network's order, and lower halves that continue upper ones."""

import torch

from practice_torch.experiments.autoregressive.chain_rule import MadeExperiment
from tests.support.samplers import Network, built, require_shares

RISING = torch.tensor([0.3, 0.9])  # P(pixel = 1 | the pixel before it in the order), by that pixel; the first follows a 0


def _chain(*, reverse=False):
    """An experiment with the exact logits of the chain; in the reverse order the last pixel comes first."""
    experiment = built("autoregressive/chain_rule")

    def logits(x):
        before = torch.nn.functional.pad(x[:, 1:], (0, 1)) if reverse else torch.nn.functional.pad(x[:, :-1], (1, 0))
        return torch.logit(RISING[before.long()])

    experiment.network = Network(logits)
    order = torch.arange(1, 65)
    experiment.network.order = lambda: order.flip(0) if reverse else order
    return experiment


def _require_chain(pixels):
    before = torch.nn.functional.pad(pixels[:, :-1], (1, 0))
    for value in (0, 1):
        require_shares(pixels[before == value].long(), torch.tensor([1 - RISING[value], RISING[value]]))


def draws_the_chain():
    for reverse in (False, True):
        pixels = _chain(reverse=reverse).sample(40)["samples"].images.flatten(1)
        _require_chain(pixels.flip(1) if reverse else pixels)


def completes_images():
    """The upper halves of six held-out images are kept, seven times; pixels of the lower halves go on from the last of them."""
    experiment = _chain()
    image = (torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    rows = experiment.preview(_Data(image))["completions"].images.flatten(2).view(6, 8, 64)
    assert torch.equal(rows[:, 0], image.flatten(1)), "the first of a row is not the held-out image"
    drawn = rows[:, 1:].flatten(0, 1)
    assert torch.equal(drawn[:, :32], image.flatten(1)[:, :32].repeat_interleave(7, 0)), "upper halves are not kept"
    for value in (0, 1):
        require_shares(drawn[:, 32:][drawn[:, 31:-1] == value].long(), torch.tensor([1 - RISING[value], RISING[value]]))


class _Data:
    def __init__(self, image):
        self.image = image

    def __len__(self):
        return len(self.image)

    def batch(self, rows):
        return {"image": self.image[rows]}


SAMPLERS = {
    draws_the_chain: {
        "another order": (MadeExperiment._draw, "order=self.network.order()", "order=torch.arange(1, 65)"),
        "uniforms up to a half": (MadeExperiment._uniforms, "torch.rand(", "0.5 * torch.rand("),
        "uniforms turned over": (MadeExperiment._draw, "(uniforms,", "((1 - uniforms).square(),"),
    },
    completes_images: {
        "lower halves kept": (MadeExperiment.preview, "< x.shape[1] // 2", ">= x.shape[1] // 2"),
        "what is seen turned over": (MadeExperiment.preview, "1 - several", "several"),
        "small uniforms": (MadeExperiment.preview, "self._uniforms(len(several))", "0.5 * self._uniforms(len(several))"),
        "completions of other images": (MadeExperiment.preview, "repeat_interleave(7, 0)", "repeat(7, 1)"),
    },
}
