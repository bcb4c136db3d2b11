"""Densities of simulated equations against those that are known, forward and backward, and the chain of DDPM as their limit."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from practice_torch.diffusion import score_sde as practice
from practice_torch.diffusion.score_prediction import mixture_score
from theory_jax.diffusion import score_sde as theory

BETAS = {"beta_min": 0.1, "beta_max": 20.0}
MEANS, LOG_VARS, LOG_WEIGHTS = torch.tensor([[-1.5], [1.0]]), torch.tensor([-3.0, -2.0]), torch.log(torch.tensor([0.3, 0.7]))


def diffused(a):
    """The mixture of which the share a of the variance is left: means, log-variances, weights."""
    return math.sqrt(a) * MEANS, torch.log(a * LOG_VARS.exp() + 1 - a), LOG_WEIGHTS


def cumulative(means, log_vars, log_weights):
    """The distribution function of a mixture on the line."""

    def total(x):
        weights = [w.exp().item() for w in log_weights]
        return sum(w * norm(m.item(), math.exp(v.item() / 2)).cdf(x) for w, m, v in zip(weights, means, log_vars, strict=True))

    return total


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_every_backward_equation_returns_to_the_data(noise):
    """From the diffused mixture at time 1 back to time 0.01, with the exact score: the law there is the diffused mixture's."""
    generator = torch.Generator().manual_seed(34)
    count, steps, end = 4000, 400, 0.01
    x = torch.randn((count, 1), generator=generator)
    times = torch.linspace(1, end**0.5, steps + 1) ** 2  # smaller steps where there is less noise
    for now, then in zip(times, times[1:], strict=False):
        time = now.expand(count)
        drift, diffusion = practice.variance_preserving_sde(x, time, **BETAS)
        score = mixture_score(x, *diffused(practice.variance_preserving_alpha_bar(now, **BETAS).item()))
        # (1 + noise^2)/2 of the score: the reverse drift with this much of the diffusion
        backward = practice.reverse_drift(score, drift, diffusion * math.sqrt((1 + noise**2) / 2))
        step = (then - now).expand(count)
        x = practice.euler_maruyama_step(x, backward, noise * diffusion, torch.randn(x.shape, generator=generator), step)
    wanted = cumulative(*diffused(practice.variance_preserving_alpha_bar(torch.tensor(end), **BETAS).item()))
    assert kstest(x[:, 0].numpy(), wanted).statistic < 0.03


def test_half_of_the_score_with_all_of_the_noise_does_not():
    """The mistake of the two equations mixed: the law is wrong by far more than the test before would let pass."""
    generator = torch.Generator().manual_seed(34)
    x = torch.randn((4000, 1), generator=generator)
    times = torch.linspace(1, 0.1, 401) ** 2
    for now, then in zip(times, times[1:], strict=False):
        drift, diffusion = practice.variance_preserving_sde(x, now.expand(4000), **BETAS)
        score = mixture_score(x, *diffused(practice.variance_preserving_alpha_bar(now, **BETAS).item()))
        mixed = practice.reverse_drift(score / 2, drift, diffusion)
        step = (then - now).expand(4000)
        x = practice.euler_maruyama_step(x, mixed, diffusion, torch.randn(x.shape, generator=generator), step)
    wanted = cumulative(*diffused(practice.variance_preserving_alpha_bar(torch.tensor(0.01), **BETAS).item()))
    assert kstest(x[:, 0].numpy(), wanted).statistic > 0.1


def test_the_corrector_keeps_a_normal_density_nearly():
    """Many small steps on N(0, 1) in 50 dimensions: drift and noise balance where the variance is E|z|^4/50^2 = 1.04."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn((2000, 50), generator=generator)
    for _ in range(100):
        x = practice.langevin_corrector_step(x, -x, torch.randn(x.shape, generator=generator), signal_to_noise=0.05)
    assert x.mean().item() == pytest.approx(0.0, abs=0.02) and x.var().item() == pytest.approx(1.04, abs=0.015)


@pytest.mark.parametrize("module", [practice, theory], ids=["torch", "jax"])
def test_the_chain_of_small_steps_tends_to_the_equation(module):
    """alpha_bar of DDPM's chain with beta_i = beta(i/N)/N, of ever more steps; the error falls as 1/N."""
    array = torch.tensor if module is practice else jnp.asarray
    wanted = float(np.log(np.asarray(module.variance_preserving_alpha_bar(array([1.0]), **BETAS)))[0])
    errors = []
    for steps in (1000, 2000, 4000):
        rates = (0.1 + 19.9 * np.arange(1, steps + 1) / steps) / steps
        errors.append(np.log1p(-rates).sum() - wanted)
    assert -0.1 < errors[0] < 0
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2, rtol=0.01)


def test_exploding_noise_grows_geometrically():
    sigma = practice.variance_exploding_sigma(torch.linspace(0, 1, 9, dtype=torch.float64), sigma_min=0.01, sigma_max=50.0)
    np.testing.assert_allclose(sigma, np.geomspace(0.01, 50.0, 9), rtol=1e-12)
