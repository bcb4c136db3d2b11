"""Langevin chains of points with a Gaussian energy, and clipped chains of images, written out."""

import torch

from practice_torch.experiments.energy.regularized_training import ChainOptions, EnergyExperiment, ImageEnergy, PointEnergy
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown

MEAN, STEPS = 0.7, 4


def draws_points_of_the_law_of_the_chain():
    """With h = variance/4 the distance to the mean shrinks by 3/4 in a step, from N(0, 1)."""
    experiment = built("energy/regularized_training", "two_moons")
    variance, experiment.sampling = 4 * experiment.recipe.step_size, ChainOptions(steps=STEPS)
    experiment.network = Network(lambda x: (x - MEAN).square().sum(1) / (2 * variance))
    mean, spread = 0.0, 1.0
    for _ in range(STEPS):
        mean, spread = mean + (MEAN - mean) / 4, spread * 9 / 16 + variance / 2
    (points,), _ = shown(experiment.sample(4000)["points"])
    require_law(points, normal_cdf(mean, spread**0.5))


def draws_images_by_the_clipped_chain():
    """x <- clip(x - a clip(x - m, -c, c) + s noise, -1, 1) from uniform noise, where some entries are clipped each time."""
    experiment = built("energy/regularized_training", "digits", step_size=0.5, gradient_limit=0.8, noise_scale=0.3)
    experiment.sampling = ChainOptions(steps=STEPS)
    experiment.network = Network(lambda x: (x - MEAN).square().flatten(1).sum(1) / 2)
    drawn = experiment.sample(5)["samples"].images
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(5, *experiment.shape, generator=generator) - 1
    for _ in range(STEPS):
        noise = torch.randn(x.shape, generator=generator)
        x = (x - 0.5 * (x - MEAN).clamp(-0.8, 0.8) + 0.3 * noise).clamp(-1, 1)
    require_same(drawn, (x + 1) / 2)


SAMPLERS = {
    draws_points_of_the_law_of_the_chain: {
        "a step too few": (EnergyExperiment.sample, "self.sampling.steps)", "self.sampling.steps - 1)"),
        "half of the step": (PointEnergy._chain, "=self.recipe.step_size", "=self.recipe.step_size / 2"),
        "up the energy": (PointEnergy._chain, "self.network,", "lambda x: -self.network(x),"),
        "a start from uniform noise": (PointEnergy._fresh, "torch.randn(", "torch.rand("),
    },
    draws_images_by_the_clipped_chain: {
        "no clipped gradient": (ImageEnergy._chain, "=recipe.gradient_limit", "=100.0"),
        "noise of the step's size": (ImageEnergy._chain, "=recipe.noise_scale", "=recipe.step_size"),
        "the same noise in every step": (
            ImageEnergy._chain,
            "self._noise(*x.shape)",
            "self._noise(1, *x.shape[1:]).expand_as(x)",
        ),
        "a start from 0..1": (ImageEnergy._fresh, " - 1", ""),
        "pixels in -1..1": (ImageEnergy._drawn, "(x + 1) / 2", "x"),
    },
}
