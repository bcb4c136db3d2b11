"""Heun's method with the exact denoiser of independent pixels draws their distribution; and a few explicit steps."""

import itertools

import torch

from practice_torch.diffusion.edm import denoise
from practice_torch.diffusion.heun_sampler import heun_step, karras_sigmas
from practice_torch.experiments.diffusion import edm
from practice_torch.experiments.diffusion.edm import EdmExperiment
from practice_torch.mathematics.levels import per_example
from tests.support.known_laws import LOPSIDED
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import rough


def _knowing(experiment):
    """The same with the answers that make its denoiser the mean of the data, at sigma = exp(4 level) and 1000 levels a unit."""
    own = experiment.recipe.sigma_data

    def answer(seen, scaled_level):
        sigma = per_example((4 * scaled_level / 1000).exp(), seen)
        length = (sigma**2 + own**2).sqrt()
        x = length * seen
        return (LOPSIDED.data_mean(x, torch.ones(()), sigma) - own**2 / length**2 * x) * length / (sigma * own)

    experiment.network = Network(answer)
    return experiment


def draws_the_law_of_the_data():
    experiment = _knowing(built("diffusion/edm", sampling_steps=40, sigma_data=0.5))
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_the_law_of_the_data_by_eulers_method():
    """As evaluations do."""
    experiment = _knowing(built("diffusion/edm", sigma_data=0.5))
    require_law(2 * experiment._drawn(64, experiment._levels(200), edm.euler) - 1, LOPSIDED.cdf)


def draws_by_the_chain():
    experiment = built("diffusion/edm", sampling_steps=3, sigma_data=0.4, sigma_min=0.1, sigma_max=2.0)
    experiment.network = Network(lambda x, level: rough(x, level / 1000))
    drawn = experiment.sample(3)["samples"].images
    x = 2.0 * torch.randn(3, *experiment.shape, generator=torch.Generator().manual_seed(0))
    for now, after in itertools.pairwise(karras_sigmas(num_steps=3, sigma_min=0.1, sigma_max=2.0)):
        x = heun_step(x, now.expand(3), after.expand(3), lambda x, sigma: denoise(x, sigma, rough, sigma_data=0.4))
    require_same(drawn, ((x + 1) / 2).clamp(0, 1))


SAMPLERS = {
    draws_the_law_of_the_data: {
        "noise of deviation 1": (EdmExperiment._drawn, "self.levels[0] *", "1.0 *"),
        "another size of the data": (EdmExperiment._data, "sigma_data=self.recipe.sigma_data", "sigma_data=1.0"),
        "another level for the network": (EdmExperiment._answer, "1000 * level", "500 * level"),
        "pixels in 0..2": (EdmExperiment._drawn, " + 1) / 2)", " + 1) / 1)"),
    },
    draws_the_law_of_the_data_by_eulers_method: {
        "an unfinished chain": (edm.euler, "pairwise(levels)", "pairwise(levels[:-100])"),
        "no steps": (edm.euler, "after.expand(len(x))", "now.expand(len(x))"),
    },
    draws_by_the_chain: {
        "Euler's method": (EdmExperiment._drawn, "method(self", "euler(self"),
        "levels up to the default": (EdmExperiment._levels, ", sigma_max=recipe.sigma_max", ""),
        "pixels beyond their range": (EdmExperiment._drawn, ".clamp(0, 1)", ""),
    },
}
