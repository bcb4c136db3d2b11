"""Ancestral steps with the exact noise of independent pixels draw their distribution; and a few explicit steps."""

import torch

from practice_torch.experiments.diffusion.elbo import BoundExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ancestral, rough


def draws_the_law_of_the_data():
    experiment = built("diffusion/elbo", num_steps=100, num_levels=1001)
    experiment.network = Network(lambda seen, t: prediction(LOPSIDED, seen[:, :1], experiment.alpha_bar[t], "noise"))
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_values_by_the_chain():
    """With data beyond the range of the pixels, which are clipped, and rounded to five values."""
    for variance in ("small", "large"):
        experiment = built("diffusion/elbo", num_steps=4, num_levels=5, variance=variance)
        experiment.network = Network(lambda seen, t: rough(seen[:, :1], t))
        drawn, generator = experiment.sample(3)["samples"].images, torch.Generator().manual_seed(0)
        noise = torch.randn(3, *experiment.shape, generator=generator)
        x = ancestral(rough, noise, experiment.alpha_bar, generator, variance=variance, clip=1.0)
        require_same(drawn, (2 * (x + 1)).round() / 4)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "pixels in -1..1": (BoundExperiment.sample, "(x0 + 1) / 2", "x0"),
        "half of the noise": (BoundExperiment._predict, "return self", "return 0.5 * self"),
        "an unfinished chain": (BoundExperiment.sample, "steps, limit", "steps[:-20], limit"),
    },
    draws_values_by_the_chain: {
        "no clipped data": (BoundExperiment.sample, "limit=1.0, ", ""),
        "the large variance": (BoundExperiment.sample, "=self.recipe.variance", "='large'"),
        "pixels rounded down": (BoundExperiment._rounded, ".round()", ".floor()"),
        "one value more": (BoundExperiment._rounded, "num_levels - 1", "num_levels"),
    },
}
