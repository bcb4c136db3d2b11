"""One network in three samplers: the velocity of the linear path that it gives, and its steps with noise."""

import dataclasses

import torch

from practice_torch.experiments.flows.diffusion_bridge import RECIPES
from practice_torch.flows.diffusion_bridge import velocity_from_score
from practice_torch.flows.flow_matching import mixture_velocity
from practice_torch.flows.probability_paths import cosine_coefficients
from tests.support import tiny


def built(**changes):
    recipe = dataclasses.replace(RECIPES["two_moons"], hidden=8, **changes)
    return tiny.built("flows/diffusion_bridge", recipe)[0]


def test_the_exact_velocity_of_the_cosine_path_gives_that_of_the_linear_path():
    """For a mixture of three Gaussians, with known score on the cosine path and known velocity on the linear path."""
    drawn = torch.Generator().manual_seed(0)
    means, y = (torch.randn(*shape, dtype=torch.float64, generator=drawn) for shape in ((3, 2), (5, 2)))
    log_vars, weights = torch.tensor([-2.0, -1.0, 0.0]).double(), torch.tensor([0.2, 0.5, 0.3]).double()

    def velocity(x, time):
        alpha, sigma, *slopes = cosine_coefficients(time)
        variances = alpha[:, None].square() * log_vars.exp() + sigma[:, None].square()
        away = alpha[:, None, None] * means - x[:, None]
        shares = (weights.log() - variances.log() - away.square().sum(2) / (2 * variances)).softmax(1)
        return velocity_from_score(x, ((shares / variances)[:, None] @ away)[:, 0], alpha, sigma, *slopes)

    experiment, time = built(), torch.tensor([0.1, 0.3, 0.5, 0.8, 0.99]).double()
    experiment.velocity = velocity
    torch.testing.assert_close(experiment.linear_velocity(y, time), mixture_velocity(y, time, means, log_vars, weights.log()))


def test_noise_comes_with_half_of_its_variance_times_the_score():
    """One step from pure noise, of which the score is -x, with g = 0.5: then without noise, two steps of Euler's method."""
    x, experiment = torch.randn(4, 2, generator=torch.Generator().manual_seed(1)), built(diffusion=0.5)
    experiment.velocity = lambda x, time: x + time[:, None]
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(2))
    experiment.generator = torch.Generator().manual_seed(2)
    torch.testing.assert_close(experiment.drawn_with_noise(x, 1), x + (x - 0.125 * x) + 0.5 * noise)
    experiment = built(diffusion=0.0)
    experiment.velocity = lambda x, time: x + time[:, None]
    torch.testing.assert_close(experiment.drawn_with_noise(x, 2), 2.25 * x + 0.25)
