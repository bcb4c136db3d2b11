"""Langevin steps with the exact score of a Gaussian: what is drawn is Gaussian, with moments that follow step by step."""

from practice_torch.experiments.energy.score_matching import ScoreMatchingExperiment
from tests.support.samplers import Network, built, normal_cdf, require_law, shown

MEAN, STEPS = 0.5, 6


def draws_the_law_of_the_chain():
    """h = sigma^2/4 and variance sigma^2: the distance to the mean shrinks by 3/4, and the variance is that of the noise more."""
    experiment = built("energy/score_matching", shown_steps=STEPS)
    variance = experiment.recipe.sigma**2
    experiment.network = Network(lambda x: (MEAN - x) / variance)
    mean, spread = 0.0, float(experiment.means.abs().max()) ** 2
    for _ in range(STEPS):
        mean, spread = mean + (MEAN - mean) / 4, spread * 9 / 16 + variance / 2
    (points,), _ = shown(experiment.sample(4000)["points"])
    require_law(points, normal_cdf(mean, spread**0.5))


SAMPLERS = {
    draws_the_law_of_the_chain: {
        "noise of deviation sqrt(h)": (ScoreMatchingExperiment.sample, "math.sqrt(2 * length)", "math.sqrt(length)"),
        "down the density": (ScoreMatchingExperiment.sample, "x + length", "x - length"),
        "half of the score": (ScoreMatchingExperiment.sample, "length * self", "length / 2 * self"),
        "no step": (ScoreMatchingExperiment.sample, "range(self", "range(0 * self"),
        "a start as wide as the noise": (ScoreMatchingExperiment.sample, "self.means.abs().max()", "self.recipe.sigma"),
    }
}
