"""Metropolis-adjusted Langevin sampling of a Gaussian energy, which keeps its law, and of no energy at all."""

from practice_torch.experiments.energy.noise_contrastive_estimation import _STEP, ContrastExperiment
from tests.support.samplers import Network, built, normal_cdf, require_law, shown

MEAN, VARIANCE = 0.2, 0.02


def draws_the_law_of_the_energy():
    """From three deviations away on average, in ten times the steps that it takes to forget the start."""
    experiment = built("energy/noise_contrastive_estimation", shown_steps=40, noise_deviation=0.4)
    experiment.network = Network(lambda x: -(x - MEAN).square().sum(1, keepdim=True) / (2 * VARIANCE))
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(MEAN, VARIANCE**0.5))


def walks_at_random_where_the_energy_is_constant():
    experiment = built("energy/noise_contrastive_estimation", shown_steps=3)
    experiment.network = Network(lambda x: 0 * x[:, :1])
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(0.0, (experiment.recipe.noise_deviation**2 + 3 * 2 * _STEP) ** 0.5))


SAMPLERS = {
    draws_the_law_of_the_energy: {
        "up the energy": (ContrastExperiment.sample, "self._energy,", "lambda x: -self._energy(x),"),
        "the logarithm of the density for the energy": (ContrastExperiment._energy, "return -", "return "),
        "half of the energy": (ContrastExperiment.sample, "self._energy,", "lambda x: self._energy(x) / 2,"),
        "no step": (ContrastExperiment.sample, "range(self", "range(0 * self"),
    },
    walks_at_random_where_the_energy_is_constant: {
        "a start of deviation 1": (ContrastExperiment._noise, "self.recipe.noise_deviation *", "1.0 *"),
        "two noises of the same sign": (ContrastExperiment.sample, "self._normal(x)", "self._normal(x).abs()"),
    },
}
