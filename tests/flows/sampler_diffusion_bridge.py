"""Points of one exact network in three ways: on the cosine path, on the linear path, and with noise on the way."""

import torch

from practice_torch.experiments.flows.diffusion_bridge import BridgedPoints
from practice_torch.experiments.sampling import flow_sampling
from practice_torch.experiments.sampling.flow_sampling import Solving, carried
from practice_torch.flows.probability_paths import cosine_coefficients
from practice_torch.mathematics.levels import per_example
from tests.support.known_laws import LOPSIDED
from tests.support.samplers import Network, built, require_law, shown


def _knowing(**changes):
    """An experiment with the velocity of the cosine path: alpha' E(X | x) + sigma' E(E | x)."""
    experiment = built("flows/diffusion_bridge", **changes)

    def velocity(x, level):
        alpha, sigma, alpha_slope, sigma_slope = (per_example(part, x) for part in cosine_coefficients(level / 1000))
        data = LOPSIDED.data_mean(x, alpha, sigma)
        return alpha_slope * data + sigma_slope * (x - alpha * data) / sigma

    experiment.network = Network(velocity)
    return experiment


def draws_points_on_the_cosine_path():
    experiment = _knowing()
    experiment.sampling = Solving(steps=40)
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, LOPSIDED.cdf)


def draws_points_on_the_linear_path():
    experiment = _knowing()
    points = carried(experiment.linear_velocity, experiment._noise(2000), Solving(steps=40))
    require_law(points, LOPSIDED.cdf)


def draws_points_with_noise():
    """With as much noise as changes paths entirely."""
    experiment = _knowing(diffusion=1.5)
    require_law(experiment.drawn_with_noise(experiment._noise(2000), 300), LOPSIDED.cdf)


def draws_points_without_noise():
    """The noise is then not there: the same from other draws."""
    experiment = _knowing(diffusion=0.0)
    noise = experiment._noise(5)
    assert torch.equal(experiment.drawn_with_noise(noise, 20), experiment.drawn_with_noise(noise, 20))


SAMPLERS = {
    draws_points_on_the_cosine_path: {"half of the way": (flow_sampling.carried, "linspace(0, 1,", "linspace(0, 0.5,")},
    draws_points_on_the_linear_path: {
        "the linear path's time": (BridgedPoints.linear_velocity, "own = ", "own = time + 0 * "),
        "places not rescaled": (BridgedPoints.linear_velocity, "y * per_example(at[0] + at[1], y)", "y"),
        "away from the data": (BridgedPoints.linear_velocity, "data - noise", "noise - data"),
    },
    draws_points_with_noise: {
        "noise without its drift": (BridgedPoints.drawn_with_noise, "_step(x, drift,", "_step(x, velocity,"),
        "half of the noise": (BridgedPoints.drawn_with_noise, "drift, g, noise", "drift, g / 2, noise"),
        "half of the way": (BridgedPoints.drawn_with_noise, "range(steps)", "range(steps // 2)"),
        "one time": (BridgedPoints.drawn_with_noise, "time = step * number", "time = step"),
    },
    draws_points_without_noise: {
        "noise of the size of the path's": (BridgedPoints.drawn_with_noise, "self.recipe.diffusion * at[1]", "at[1]")
    },
}
