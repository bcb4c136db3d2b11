"""Diffusion and flow as one family, against this library's diffusion, SciPy's solver and sampled processes."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from practice_torch.diffusion.ddim import ddim_step
from practice_torch.diffusion.parameterizations import convert_prediction, loss_ratio
from practice_torch.diffusion.probability_flow import probability_flow_drift
from practice_torch.diffusion.score_sde import variance_preserving_sde
from practice_torch.flows import diffusion_bridge as practice
from practice_torch.flows import probability_paths as paths
from practice_torch.flows.flow_matching import data_prediction, mixture_velocity
from practice_torch.mathematics.levels import per_example

MEANS, STDS, WEIGHTS = (-1.5, 0.5, 2.0), (0.3, 0.5, 0.2), (0.3, 0.5, 0.2)


def linear(time):
    return time, 1 - time, torch.ones_like(time), -torch.ones_like(time)


PATHS = [linear, paths.cosine_coefficients, paths.variance_preserving_coefficients]


def doubles(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def score_of_the_mixture(x, alpha, sigma):
    """The slope of the log-density of alpha times the mixture plus sigma times noise, at places [B, 1]."""
    x = x.detach().requires_grad_()
    variances = (per_example(alpha, x) * doubles(*STDS)).square() + per_example(sigma, x).square()
    far = (x - per_example(alpha, x) * doubles(*MEANS)).square() / variances
    density = (doubles(*WEIGHTS).log() - variances.log() / 2 - far / 2).logsumexp(1)
    return torch.autograd.grad(density.sum(), x)[0]


def a_schedule():
    """alpha_bar of a diffusion with four levels, and the coefficients of the cosine path at the times that have them."""
    time = torch.linspace(0.9, 0.1, 4, dtype=torch.float64)
    alpha, sigma, alpha_slope, sigma_slope = paths.cosine_coefficients(time)
    return torch.cat([doubles(1.0), alpha.square()]), (alpha, sigma, alpha_slope, sigma_slope)


def test_predictions_are_those_of_diffusion():
    """At alpha^2 = alpha_bar, levels 1 to 4: score, noise and data; and the weight of the loss of any path with this ratio."""
    alpha_bar, at = a_schedule()
    x, score = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.arange(1, 5)
    velocity = practice.velocity_from_score(x, score, *at)
    data, noise = practice.predictions_from_velocity(x, velocity, *at)
    torch.testing.assert_close(data, convert_prediction(score, x, t, alpha_bar, source="score", target="x0"))
    torch.testing.assert_close(noise, convert_prediction(score, x, t, alpha_bar, source="score", target="noise"))
    # on the circle the velocity of diffusion, alpha noise - sigma data, is that of the cosine path over minus pi/2
    wanted = convert_prediction(score, x, t, alpha_bar, source="score", target="velocity")
    torch.testing.assert_close(velocity, -torch.pi / 2 * wanted)
    torch.testing.assert_close(
        practice.loss_weight_between(*at), (torch.pi / 2) ** 2 * loss_ratio(t, alpha_bar, target="velocity")
    )


def test_a_ddim_step_is_an_euler_step_on_the_linear_path():
    alpha_bar, (alpha, sigma, *_) = a_schedule()
    x, noise = torch.randn(2, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    data = (x - sigma[3] * noise) / alpha[3]
    wanted = ddim_step(x, noise, torch.zeros_like(x), torch.tensor([4]), torch.tensor([2]), alpha_bar)
    y, now = practice.rescale_to_linear(x, alpha[3:], sigma[3:])
    landed, then = practice.rescale_to_linear(wanted, alpha[1:2], sigma[1:2])
    torch.testing.assert_close(y + (then - now) * (data - noise), landed)


def test_the_flow_is_the_probability_flow_backward():
    """Of the variance-preserving path, at minus the drift of diffusion's flow at the time 1 - t."""
    time = doubles(0.2, 0.5, 0.9)
    x = doubles(-1.0, 0.4, 2.0)[:, None]
    at = paths.variance_preserving_coefficients(time)
    score = score_of_the_mixture(x, *at[:2])
    drift = probability_flow_drift(score, *variance_preserving_sde(x, 1 - time))
    torch.testing.assert_close(practice.velocity_from_score(x, score, *at), -drift)


def test_the_linear_flow_is_that_of_flow_matching():
    """The exact velocity of a mixture there, and the data that it predicts."""
    time, x = doubles(0.1, 0.5, 0.9), doubles(-1.0, 0.4, 2.0)[:, None]
    at = linear(time)
    velocity = practice.velocity_from_score(x, score_of_the_mixture(x, *at[:2]), *at)
    log_vars = 2 * doubles(*STDS).log()
    torch.testing.assert_close(velocity, mixture_velocity(x, time, doubles(*MEANS)[:, None], log_vars, doubles(*WEIGHTS).log()))
    torch.testing.assert_close(practice.predictions_from_velocity(x, velocity, *at)[0], data_prediction(x, velocity, time))


@pytest.mark.parametrize("coefficients", PATHS)
def test_the_flow_carries_quantiles_to_quantiles(coefficients):
    """SciPy solves dx = v dt with the velocity of the exact score, from time 0.1 to 0.95: a quantile stays the same quantile."""

    def share_below(x, alpha, sigma):
        spread = np.hypot(float(alpha) * np.array(STDS), float(sigma))
        return np.array(WEIGHTS) @ scipy.stats.norm.cdf((x - float(alpha) * np.array(MEANS)) / spread)

    def velocity(time, x):
        x, at = torch.as_tensor(x)[:, None], [one.expand(len(x)) for one in coefficients(doubles(time))]
        return practice.velocity_from_score(x, score_of_the_mixture(x, *at[:2]), *at)[:, 0].numpy()

    start = np.array([-1.0, 0.0, 1.3])
    end = scipy.integrate.solve_ivp(velocity, (0.1, 0.95), start, method="DOP853", rtol=1e-8, atol=1e-10).y[:, -1]
    before, after = (coefficients(doubles(time))[:2] for time in (0.1, 0.95))
    shares = [share_below(x, *before) for x in start]
    np.testing.assert_allclose([share_below(x, *after) for x in end], shares, atol=1e-6)


def test_noise_on_the_way_keeps_the_law():
    """20,000 places of the law at time 0.05, 80 steps of dx = (v + g^2/2 score) dt + g dw to 0.9, g = 1.5: four shares."""
    drawn = torch.Generator().manual_seed(2)
    component = torch.multinomial(doubles(*WEIGHTS), 20_000, replacement=True, generator=drawn)
    noise = torch.randn(2, 20_000, 1, dtype=torch.float64, generator=drawn)
    data = doubles(*MEANS)[component, None] + doubles(*STDS)[component, None] * noise[0]
    h, g, x = 0.85 / 80, torch.full((20_000,), 1.5, dtype=torch.float64), 0.05 * data + 0.95 * noise[1]
    for step in range(80):
        at = linear(torch.full_like(g, 0.05 + (step + 0.5) * h))
        score = score_of_the_mixture(x, *at[:2])
        drift = practice.stochastic_drift(practice.velocity_from_score(x, score, *at), score, g)
        x = x + h * drift + 1.5 * h**0.5 * torch.randn(x.shape, dtype=x.dtype, generator=drawn)
    edges = np.array([-1.5, -0.5, 0.4, 1.2])
    spread = np.hypot(0.9 * np.array(STDS), 0.1)
    below = scipy.stats.norm.cdf((edges[:, None] - 0.9 * np.array(MEANS)) / spread) @ np.array(WEIGHTS)
    found = (x.numpy() < edges).mean(axis=0)
    np.testing.assert_allclose(found, below, atol=0.015)
