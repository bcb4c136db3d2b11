"""Points of a mixture, drawn with its exact score or by a network that knows it, have the mixture's law along both axes."""

from types import SimpleNamespace

import torch

from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.experiments.diffusion.score_prediction import ScoreExperiment
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from tests.support.known_laws import Mixture
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ddim, rough


def _knowing():
    """An experiment on a wide mixture, with a network that tells the velocity of its exact score."""
    experiment = built("diffusion/score_prediction", num_steps=100, shown_steps=80)
    experiment.means.copy_(0.5 * experiment.means)
    experiment.stds.fill_(0.2)
    experiment.weights.copy_(experiment.weights.new_tensor([3, 1, 1, 1, 3, 2, 1, 4]) / 16)

    def velocity(x, t):
        x = x.double()
        return convert_prediction(experiment.exact_score(x, t), x, t, experiment.alpha_bar, source="score", target="velocity")

    experiment.network = Network(velocity)
    return experiment


def _require_mixture(experiment, points):
    for axis in (0, 1):
        means = experiment.means[:, axis].tolist()
        law = Mixture(tuple(experiment.weights.tolist()), tuple(means), tuple(experiment.stds.tolist()))
        require_law(points[:, axis], law.cdf)


def draws_the_mixture():
    for how in (Drawing(), Drawing(sampler="ddim", steps=60), Drawing(clip=False, steps=80, variance="small")):
        experiment = _knowing()
        experiment.sampling = how
        _require_mixture(experiment, experiment.sample(1000)["points"].points)


def previews_the_mixture_by_both_scores():
    experiment = _knowing()
    experiment._picture, experiment._fields = lambda panels, caption: panels, dict
    real = torch.zeros(4, 2)
    found = experiment.preview(SimpleNamespace(batch=lambda: {"point": real}))["points"]
    assert found.pop("data").equal(real) and len(found) == 2
    for points in found.values():
        _require_mixture(experiment, points)


def draws_within_reach_of_the_means():
    """Predicted points are clipped at the largest entry of a mean plus five of its deviations: here 5 x 0.5 beyond -1.41."""
    experiment = built("diffusion/score_prediction", num_steps=10)
    experiment.stds[5] = 0.5
    drawn = experiment.drawn(lambda x, t: 3 * rough(x, t), 5, Drawing(steps=4, sampler="ddim"))
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = lambda x, t: -3 * (1 - experiment.alpha_bar[t]).sqrt()[:, None] * rough(x, t)  # noqa: E731
    require_same(drawn, ddim(noise, x, experiment.alpha_bar, count=4, clip=2**0.5 + 2.5))


SAMPLERS = {
    draws_the_mixture: {
        "data clipped to the means": (ScoreExperiment.drawn, "+ 5 * self.stds", "- 0.2"),
        "half of the noise": (ScoreExperiment._noise, "return -", "return -0.5 * "),
        "the variance for the deviation": (ScoreExperiment._noise, ".sqrt()", ""),
        "another number of steps": (ScoreExperiment.drawn, "steps=how.steps", "steps=10"),
        "a start from uniform noise": (ScoreExperiment.drawn, "torch.randn(", "torch.rand("),
    },
    previews_the_mixture_by_both_scores: {
        "half of the steps": (ScoreExperiment.preview, "steps=self.recipe.shown_steps", "steps=10"),
        "velocity for noise": (ScoreExperiment.learned_score, "noise_from_velocity(x, velocity, t, self.alpha_bar)", "velocity"),
    },
    draws_within_reach_of_the_means: {
        "no limit": (ScoreExperiment.drawn, "limit=limit, ", ""),
        "means with their sign": (ScoreExperiment.drawn, ".abs().amax(1)", ".amax(1)"),
    },
}
