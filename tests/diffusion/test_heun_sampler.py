"""SciPy's solver and diffusers' levels against Heun's sampler, and its order where data are no normal law."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from practice_torch.diffusion import heun_sampler as practice
from practice_torch.diffusion.score_prediction import mixture_score
from theory_jax.diffusion import heun_sampler as theory

MEANS = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
LOG_VARS, LOG_WEIGHTS = torch.tensor([-1.0, -2.0, -1.5]).double(), torch.full((3,), 1 / 3, dtype=torch.float64).log()


def mixture(x, sigma):
    """The best estimate of data from three normal laws, by Tweedie's formula; all examples at one level."""
    level = sigma[0] ** 2
    return x + level * mixture_score(x, MEANS, (LOG_VARS.exp() + level).log(), LOG_WEIGHTS)


def start(count):
    return 10 * torch.randn((count, 2), generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def exact(x, begin, end):
    def slope(sigma, flat):
        x = torch.from_numpy(flat).view(-1, 2)
        return ((x - mixture(x, torch.full((len(x),), sigma, dtype=torch.float64))) / sigma).numpy().ravel()

    path = solve_ivp(slope, (begin, end), x.numpy().ravel(), rtol=1e-11, atol=1e-12)
    return torch.from_numpy(path.y[:, -1]).view(-1, 2)


def test_the_levels_are_those_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, rho=7.0)
    for count in (2, 18, 40):
        scheduler.set_timesteps(count)
        np.testing.assert_allclose(practice.karras_sigmas(num_steps=count), scheduler.sigmas, rtol=1e-5, atol=1e-7)


def test_errors_on_a_mixture_fall_by_two_and_by_four():
    """From level 10 to 0.01, on levels of the sampler's own spacing, against SciPy's solution."""
    x = start(8)
    wanted, errors = exact(x, 10.0, 0.01), {}
    for step in (practice.denoising_euler_step, practice.heun_step):
        for count in (65, 129):
            levels = practice.karras_sigmas(num_steps=count, sigma_min=0.01, sigma_max=10.0).double()[:-1]
            found = x
            for now, after in zip(levels, levels[1:], strict=False):
                found = step(found, now.expand(8), after.expand(8), mixture)
            errors[step, count] = (found - wanted).norm().item()
        order = math.log2(errors[step, 65] / errors[step, 129])
        assert order == pytest.approx(1 if step is practice.denoising_euler_step else 2, abs=0.25)
    assert errors[practice.heun_step, 65] < errors[practice.denoising_euler_step, 129] / 5  # as many evaluations


def test_a_step_of_n_costs_two_evaluations_and_the_last_one():
    seen = []

    def denoise(x, sigma):
        seen.append(sigma[0].item())
        return 0.5 * x

    levels = practice.karras_sigmas(num_steps=18)
    practice.heun_sample(torch.ones(2, 3), torch.zeros(18, 2, 3), levels, denoise)
    assert len(seen) == 35 and 0 not in seen


@pytest.mark.parametrize("module", [practice, theory], ids=["torch", "jax"])
def test_back_to_the_noise_and_to_the_data_again(module):
    """Steps up the levels, and down: what is lost is the solver's error alone."""
    array = torch.from_numpy if module is practice else np.asarray
    x, levels = np.random.default_rng(0).normal(size=(4, 2)), np.linspace(0.5, 3.0, 41)

    def denoise(x, sigma):
        return 0.8 * x / (1 + x * x / 8) / (1 + sigma[:, None])

    found = array(x)
    for path in (levels, levels[::-1]):
        for now, after in zip(path, path[1:], strict=False):
            found = module.heun_step(found, array(np.full(4, now)), array(np.full(4, after)), denoise)
    np.testing.assert_allclose(np.asarray(found), x, atol=1e-3)
