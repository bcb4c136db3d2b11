"""Rows of generated images, and below each what the generator makes of their guessed codes."""

import torch

from practice_torch.experiments.adversarial.gan_inversion import Inversion
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_images_above_their_inversions():
    """A generator that shows its noise, and a guess that is half of the code; rows of 16, the last of 8."""
    experiment = built("adversarial/gan_inversion", "digits", latent=64)
    experiment.generator_network = Network(lambda z: torch.tanh(z).view(-1, 1, 8, 8))
    experiment.encoder = Network(lambda x: torch.atanh(x.flatten(1)) / 2)
    grid = experiment.sample(40)["fakes"]
    assert grid.columns == 16
    first, below, second, under, third, last = grid.images.split([16, 16, 16, 16, 8, 8])
    fakes, again = torch.cat([first, second, third]), torch.cat([below, under, last])
    codes = torch.atanh(2 * fakes - 1)
    require_law(codes, normal_cdf(0.0, 1.0))
    require_same(again, (torch.tanh(codes / 2) + 1) / 2)


SAMPLERS = {
    draws_images_above_their_inversions: {
        "uniform noise": (Inversion._codes, "torch.randn(", "torch.rand("),
        "images of other codes": (Inversion.sample, "self._guess(fakes)", "self._guess(fakes.flip(0))"),
        "pixels in -1..1": (Inversion._grid, "low=0.0,", "low=-1.0,"),
        "images one below the other": (Inversion.sample, "min(count, 16)", "1"),
    }
}
