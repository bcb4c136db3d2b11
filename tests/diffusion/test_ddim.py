"""DDIM against diffusers, against the ancestral step, and what a row cannot say."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.ddim import ddim_sigma, ddim_step, non_markovian_mean
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar

THOUSAND = linear_alpha_bar(num_steps=1000).double()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [None, 0.7])
@pytest.mark.parametrize("steps", [1000, 20])
def test_a_step_is_that_of_diffusers(eta, clip, steps):
    """Its index 0 is our level 1; a_0 = 1 and noise derived again from clipped data are options there."""
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDIMScheduler(
        clip_sample=clip is not None, clip_sample_range=clip or 1.0, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    peer.set_timesteps(steps)
    x_t, noise_pred, noise = (draw(3, 2, seed=seed).float() for seed in range(3))
    stride = 1000 // steps
    for t in (stride, 10 * stride, 1000):
        wanted = peer.step(noise_pred, t - 1, x_t, eta=eta, variance_noise=noise, use_clipped_model_output=True).prev_sample
        at = torch.full((3,), t)
        ours = ddim_step(x_t, noise_pred, noise, at, at - stride, THOUSAND, eta=eta, clip=clip)
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=2e-4)


def test_eta_one_is_the_ancestral_step_with_the_small_variance():
    t = torch.tensor([1, 2, 400, 1000])
    arrays = [draw(4, 3, seed=seed) for seed in range(3)]
    for clip in (None, 0.8):
        ours = ddim_step(*arrays, t, t - 1, THOUSAND, eta=1.0, clip=clip)
        torch.testing.assert_close(ours, ddpm_step(*arrays, t, THOUSAND, variance="small", clip=clip), rtol=1e-11, atol=1e-11)


def test_many_steps_without_noise_solve_the_flow_of_two_points():
    """The differential equation of data -1 and 1, by SciPy: dy = E(noise | x) d level, y = x/sqrt(a), level = sqrt(1/a - 1)."""
    alpha_bar = torch.cos(torch.linspace(0, 0.49 * torch.pi, 1001, dtype=torch.float64)) ** 2

    def best(x, a):
        return (x - a**0.5 * np.tanh(a**0.5 / (1 - a) * x)) / (1 - a) ** 0.5

    x = start = torch.tensor([-1.7, -0.2, 0.05, 0.9], dtype=torch.float64)
    for t in range(1000, 1, -1):
        at = torch.full((4,), t)
        x = ddim_step(x, torch.as_tensor(best(x.numpy(), float(alpha_bar[t]))), x, at, at - 1, alpha_bar)
    first, last = float(alpha_bar[1]), float(alpha_bar[-1])

    def slope(level, y):
        a = 1 / (1 + level**2)
        return best(y * a**0.5, a)

    ends = (1 / last - 1) ** 0.5, (1 / first - 1) ** 0.5
    solved = solve_ivp(slope, ends, start.numpy() / last**0.5, rtol=1e-9, atol=1e-11, method="LSODA").y[:, -1]
    np.testing.assert_allclose(x.numpy() / first**0.5, solved, atol=5e-3)
    assert np.abs(x.numpy() / first**0.5 - np.sign(start.numpy())).max() < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_data_keep_their_dtype_under_a_finer_schedule(dtype):
    x, other, noise = (draw(3, 2, seed=seed).to(dtype) for seed in range(3))
    t, s = torch.tensor([7, 500, 1000]), torch.tensor([0, 200, 999])
    assert non_markovian_mean(x, other, t, s, THOUSAND, eta=0.5).dtype == dtype
    assert ddim_step(x, other, noise, t, s, THOUSAND, eta=0.5, clip=1.0).dtype == dtype


def test_a_learned_schedule_gets_finite_slopes_at_the_data():
    schedule = cosine_alpha_bar(num_steps=8).double().requires_grad_()
    t, s = torch.tensor([1, 8, 5]), torch.tensor([0, 0, 3])
    for eta in (0.0, 0.5, 1.0):
        loss = ddim_step(*(draw(3, 2, seed=seed) for seed in range(3)), t, s, schedule, eta=eta, clip=0.9).square().sum()
        loss = loss + ddim_sigma(t, s, schedule, eta=eta).sum()
        assert torch.autograd.grad(loss, schedule)[0].isfinite().all()
