"""The reverse process against Bayes' rule on a grid, the conditional of a joint Gaussian, and the peers; and its dtypes."""

import numpy as np
import pytest
import torch
from scipy import stats

from practice_torch.diffusion.forward_process import forward_log_prob
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SCHEDULE = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double()
EVERY = torch.arange(1, 21)


def test_the_posterior_is_the_conditional_of_the_joint_gaussian():
    """Given x_0, (x_(t-1), x_t) is Gaussian; conditioning it needs a covariance and no formula of the lecture."""
    x0, x_t = draw(20, seed=1), draw(20, seed=2)
    before, after = SCHEDULE[:-1].numpy(), SCHEDULE[1:].numpy()
    kept = after / before
    covariance = np.array([[1 - before, np.sqrt(kept) * (1 - before)], [np.sqrt(kept) * (1 - before), 1 - after]])
    gain = covariance[0, 1] / covariance[1, 1]
    wanted = np.sqrt(before) * x0.numpy() + gain * (x_t.numpy() - np.sqrt(after) * x0.numpy())
    np.testing.assert_allclose(posterior_mean(x0, x_t, EVERY, SCHEDULE).numpy(), wanted, rtol=1e-11, atol=1e-13)
    variance = covariance[0, 0] - gain * covariance[0, 1]
    np.testing.assert_allclose(posterior_log_variance(EVERY, SCHEDULE).exp().numpy(), variance, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("t", [2, 9, 20])
def test_the_best_predictions_give_the_true_mean_for_two_point_data(t):
    """E(x_(t-1) | x_t) by quadrature; E(x_0 | x_t) is a tanh, and one step of either parameterization must reproduce it."""
    points, (a_before, a) = torch.tensor([-1.0, 1.0], dtype=torch.float64), SCHEDULE[[t - 1, t]].numpy()
    x_t = torch.tensor([-1.4, -0.1, 0.3, 2.0], dtype=torch.float64)
    grid = torch.linspace(-9, 9, 6001, dtype=torch.float64)
    humps = stats.norm.pdf(grid.numpy()[:, None], np.sqrt(a_before) * points.numpy(), np.sqrt(1 - a_before)).mean(axis=1)
    steps = torch.full((len(grid),), t)
    wanted = []
    for value in x_t:
        weights = humps * forward_log_prob(value.expand(len(grid)), grid, steps - 1, steps, SCHEDULE).exp().numpy()
        wanted.append((weights * grid.numpy()).sum() / weights.sum())
    data = torch.tanh(np.sqrt(a) / (1 - a) * x_t)
    noise = (x_t - np.sqrt(a) * data) / np.sqrt(1 - a)
    at = torch.full((4,), t)
    np.testing.assert_allclose(posterior_mean(data, x_t, at, SCHEDULE).numpy(), wanted, rtol=1e-9)
    np.testing.assert_allclose(reverse_mean_from_noise(x_t, noise, at, SCHEDULE).numpy(), wanted, rtol=1e-9)


@pytest.mark.parametrize(("variance", "peers_name"), [("large", "fixed_large"), ("small", "fixed_small")])
def test_a_step_is_that_of_diffusers(variance, peers_name):
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDPMScheduler(num_train_timesteps=1000, variance_type=peers_name, clip_sample=False)
    schedule = linear_alpha_bar(num_steps=1000)
    x_t, noise_pred = draw(3, 2).float(), draw(3, 2, seed=1).float()
    for t in (2, 500, 1000):
        at = torch.full((3,), t)
        ours = reverse_mean_from_noise(x_t, noise_pred, at, schedule)
        drawn = torch.randn(3, 2, generator=torch.Generator().manual_seed(7))
        ours = ours + (reverse_log_variance(at, schedule, variance=variance) / 2).exp()[:, None] * drawn
        wanted = peer.step(noise_pred, t - 1, x_t, generator=torch.Generator().manual_seed(7)).prev_sample
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_data_keep_their_dtype_under_a_finer_schedule(dtype):
    x, other, t = draw(3, 2).to(dtype), draw(3, 2, seed=1).to(dtype), torch.tensor([1, 5, 20])
    results = [
        posterior_mean(x, other, t, SCHEDULE),
        reverse_mean_from_noise(x, other, t, SCHEDULE),
        interpolated_log_variance(x, t, SCHEDULE),
    ]
    assert {result.dtype for result in results} == {dtype}


def test_a_learned_schedule_gets_finite_slopes_at_the_first_step():
    schedule = SCHEDULE.clone().requires_grad_()
    t = torch.tensor([1, 2, 20])
    loss = posterior_log_variance(t, schedule).exp().sum() + interpolated_log_variance(draw(3, 2), t, schedule).sum()
    loss = loss + posterior_mean(draw(3, 2), draw(3, 2, seed=1), t, schedule).square().sum()
    assert torch.autograd.grad(loss, schedule)[0].isfinite().all()
