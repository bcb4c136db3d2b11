"""Images of two pixels in two colors and three levels, of which there are 81: drawn at the rates of their log-probabilities."""

import dataclasses
import itertools
from types import SimpleNamespace

import torch

from practice_torch.experiments.autoregressive.discretized_mixture import RECIPES, MixturePixelCNN, build
from practice_torch.experiments.codes.pixel_codes import PixelExperiment
from tests.support import tiny
from tests.support.samplers import moved, require_shares

EVERY = torch.tensor(list(itertools.product((0, 1, 2), repeat=4))).view(81, 2, 1, 2)


def draws_the_law_of_the_mixture():
    """The later color depends on the earlier one, and the second pixel on the first."""
    recipe = dataclasses.replace(tiny.small(RECIPES["digits"]), num_levels=3, width=8, layers=2, components=2)
    torch.manual_seed(0)
    described = {"name": "pixels", "shape": [2, 1, 2], "classes": None}
    experiment = moved(build(recipe, SimpleNamespace(description=described)).eval().requires_grad_(False), by=0.5)
    experiment.generator = torch.Generator().manual_seed(0)
    images = experiment.sample(6000)["samples"].images
    places = ((2 * images.flatten(1)).round().long() * torch.tensor([27, 9, 3, 1])).sum(1)
    require_shares(places, experiment.network.log_prob(EVERY).exp())


SAMPLERS = {
    draws_the_law_of_the_mixture: {
        "a component for every color": (MixturePixelCNN._draw, "uniforms[:, 0, 0])", "uniforms[:, 0, 1])"),
        "colors by themselves": (MixturePixelCNN._draw, "coefficients, x, color)", "coefficients, 0 * x, color)"),
        "one color": (MixturePixelCNN._draw, "x[:, color, 0] =", "x[:, 0, 0] ="),
        "the least likely component": (MixturePixelCNN._draw, "(logits[:, 0, 0],", "(-logits[:, 0, 0],"),
        "values for levels": (MixturePixelCNN._draw, "+ 1) * ((self.levels - 1) / 2)", "+ 1) * ((self.levels - 1) / 3)"),
        "codes beyond 0..1": (PixelExperiment._image, "(self.recipe.num_levels - 1)", "self.recipe.num_levels"),
    }
}
