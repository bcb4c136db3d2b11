"""Images of four pixels in three levels, of which there are 81: drawn at the rates of the network's log-probabilities."""

import dataclasses
import itertools
from types import SimpleNamespace

import torch

from practice_torch.experiments.autoregressive.pixelcnn import RECIPES, build
from practice_torch.experiments.codes.pixel_codes import PixelExperiment
from tests.support import tiny
from tests.support.samplers import moved, require_shares

EVERY = torch.tensor(list(itertools.product((0, 1, 2), repeat=4))).view(81, 1, 2, 2)


def _small(classes):
    recipe = dataclasses.replace(tiny.small(RECIPES["digits"]), num_levels=3, width=8, layers=2)
    torch.manual_seed(0)
    described = {"name": "pixels", "shape": [1, 2, 2], "classes": classes}
    experiment = moved(build(recipe, SimpleNamespace(description=described)).eval().requires_grad_(False), by=0.6)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment


def _places(images):
    """The numbers of images [B, 1, 2, 2] among EVERY."""
    return ((2 * images.flatten(1)).round().long() * torch.tensor([27, 9, 3, 1])).sum(1)


def draws_the_law_of_each_class():
    experiment = _small(["a", "b"])
    images = experiment.sample(3000)["samples"].images
    for label in (0, 1):
        law = experiment.network.log_prob(EVERY, torch.full((81,), label)).exp()
        require_shares(_places(images[label::2]), law)


def draws_the_law_without_classes():
    experiment = _small(None)
    require_shares(_places(experiment.sample(2000)["samples"].images), experiment.network.log_prob(EVERY).exp())


def completes_images():
    """The upper row of each held-out image is kept; lower rows have the law that is left, seven after each image."""
    experiment = _small(["a", "b"])
    image, label = torch.tensor([[1.0, 0.5, 1.0, 1.0], [0.0, 1.0, 0.0, 0.5]]).view(2, 1, 2, 2), torch.tensor([0, 1])
    data = _Data(image.repeat(3, 1, 1, 1), label.repeat(3))
    lower = [[], []]
    for _ in range(40):
        rows = experiment.preview(data)["completions"].images.view(6, 8, 1, 2, 2)
        assert torch.equal(rows[:, 0], data.image), "the first of a row is not the held-out image"
        assert torch.equal(rows[:, 1:, :, 0], data.image[:, None, :, 0].expand(-1, 7, -1, -1)), "upper halves are not kept"
        for k in (0, 1):
            lower[k].append(_places(rows[k::2, 1:].flatten(0, 1)) % 9)
    for k in (0, 1):
        begun = EVERY[_places(image[k : k + 1]) // 9 * 9 + torch.arange(9)]
        law = experiment.network.log_prob(begun, torch.full((9,), k)).exp()
        require_shares(torch.cat(lower[k]), law / law.sum())


class _Data:
    def __init__(self, image, label):
        self.image, self.label = image, label

    def __len__(self):
        return len(self.image)

    def batch(self, rows):
        return {"image": self.image[rows], "label": self.label[rows]}


SAMPLERS = {
    draws_the_law_of_each_class: {
        "one class": (PixelExperiment.sample, "% len(self.classes)", "* 0"),
        "no class": (PixelExperiment._generate, "labels[rows].to(device)", "0 * labels[rows]"),
        "codes beyond 0..1": (PixelExperiment._image, "(self.recipe.num_levels - 1)", "self.recipe.num_levels"),
        "uniforms up to a half": (PixelExperiment._generate, "torch.rand(", "0.5 * torch.rand("),
    },
    draws_the_law_without_classes: {
        "the same uniforms": (PixelExperiment._generate, "drawn(uniforms,", "drawn(uniforms[:1] + 0 * uniforms,")
    },
    completes_images: {
        "all of the image kept": (PixelExperiment.preview, "several[:, :, : height // 2]", "several"),
        "nothing kept": (PixelExperiment.preview, "labels, several[:, :, : height // 2]", "labels"),
        "of other classes": (PixelExperiment.preview, "_COMPLETED) if self.classes", "_COMPLETED).flip(0) if self.classes"),
        "of other images": (PixelExperiment._generate, "given[rows]", "given[rows].flip(0)"),
    },
}
