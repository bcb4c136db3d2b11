"""Schedules against the peers that publish them, SciPy's logit, and what a row cannot say: dtypes."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from practice_torch.diffusion import noise_schedules

NAMES = {"linear": "linear_alpha_bar", "scaled_linear": "scaled_linear_alpha_bar", "squaredcos_cap_v2": "cosine_alpha_bar"}


@pytest.mark.parametrize("steps", [7, 1000])
@pytest.mark.parametrize("peers_name", NAMES)
def test_schedules_are_those_of_diffusers(peers_name, steps):
    diffusers = pytest.importorskip("diffusers")
    betas = {} if peers_name == "squaredcos_cap_v2" else {"beta_start": 0.002, "beta_end": 0.03}
    wanted = diffusers.DDPMScheduler(num_train_timesteps=steps, beta_schedule=peers_name, **betas).alphas_cumprod
    ours = getattr(noise_schedules, NAMES[peers_name])(num_steps=steps, **betas)
    torch.testing.assert_close(ours[1:], wanted, rtol=1e-4, atol=1e-9)  # the peer multiplies in float32


def test_the_rescaled_schedule_is_that_of_diffusers():
    peer = pytest.importorskip("diffusers.schedulers.scheduling_ddim")
    betas = torch.linspace(0.01, 0.2, 20)
    wanted = (1 - peer.rescale_zero_terminal_snr(betas)).cumprod(0)
    ours = noise_schedules.rescale_zero_terminal_snr(noise_schedules.alpha_bar_from_betas(betas))
    torch.testing.assert_close(ours[1:], wanted, rtol=1e-4, atol=1e-6)


def test_the_cosine_is_its_formula_by_another_route():
    """In cosines and NumPy, as the paper writes it; exact to the digits that the cosine itself keeps near pi/2."""
    f = np.cos((np.linspace(0, 1, 31) + 0.008) / 1.008 * np.pi / 2) ** 2
    wanted = np.concatenate([[1.0], np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))])
    ours = noise_schedules.cosine_alpha_bar(num_steps=30)
    np.testing.assert_allclose(ours.double().numpy(), wanted, rtol=1e-6)


def test_log_snr_is_scipys_logit():
    levels = np.array([0.0, 1e-15, 1e-3, 0.3, 0.36, 0.5, 0.9, 1 - 1e-13, 1.0])
    np.testing.assert_allclose(noise_schedules.log_snr(torch.tensor(levels)).numpy(), logit(levels), rtol=1e-13)
    ratios = np.array([-np.inf, -700.0, -40.0, 0.0, 3.0, 40.0, np.inf])
    np.testing.assert_allclose(noise_schedules.alpha_bar_from_log_snr(torch.tensor(ratios)).numpy(), expit(ratios), rtol=1e-13)


def test_sigmas_are_numpys_geometric_sequence():
    ours = noise_schedules.log_linear_sigmas(num_steps=9, sigma_min=0.002, sigma_max=80.0)
    np.testing.assert_allclose(ours[1:].double().numpy(), np.geomspace(0.002, 80.0, 9), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES.values())
def test_a_schedule_takes_the_default_dtype_and_is_rounded_once(name):
    """In float32 a thousand products would have lost more than the last digit."""
    make = getattr(noise_schedules, name)
    single = make(num_steps=1000)
    torch.set_default_dtype(torch.float64)
    try:
        double = make(num_steps=1000)
    finally:
        torch.set_default_dtype(torch.float32)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.equal(single, double.float())
