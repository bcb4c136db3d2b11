"""The forward process against SciPy's normal and the peers, by simulation, and what a row cannot say: dtypes and transforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats

from practice_torch.diffusion.forward_process import (
    forward_from,
    forward_log_prob,
    forward_marginal,
    forward_sample,
    forward_step,
)
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from theory_jax.diffusion import forward_process as theory


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SCHEDULE = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double()


def test_the_density_is_scipys():
    x_t, x_s = draw(4, 3, 2), draw(4, 3, 2, seed=1)
    s, t = torch.tensor([0, 3, 7, 19]), torch.tensor([1, 9, 20, 20])
    r = (SCHEDULE[t] / SCHEDULE[s]).reshape(-1, 1, 1).numpy()
    wanted = stats.norm.logpdf(x_t.numpy(), np.sqrt(r) * x_s.numpy(), np.sqrt(1 - r)).sum(axis=(1, 2))
    np.testing.assert_allclose(forward_log_prob(x_t, x_s, s, t, SCHEDULE).numpy(), wanted, rtol=1e-12)


def test_add_noise_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDPMScheduler(num_train_timesteps=1000)
    x0, noise, t = draw(4, 3, 2).float(), draw(4, 3, 2, seed=1).float(), torch.tensor([1, 2, 500, 1000])
    wanted = peer.add_noise(x0, noise, t - 1)  # the peer's index 0 is our first step
    torch.testing.assert_close(forward_sample(x0, t, noise, linear_alpha_bar(num_steps=1000)), wanted, rtol=1e-4, atol=1e-5)


def test_walking_and_jumping_arrive_at_one_distribution():
    """Two-humped data, walked by eight steps or moved at once: 20,000 of each look alike, and unlike those of one step less."""
    count = 20_000
    x0 = torch.where(draw(count, seed=2) > 0.5, 2.0, -1.0).double()

    def at(t):
        return torch.full((count,), t)

    walked = x0
    for t in range(1, 9):
        walked = forward_step(walked, at(t), draw(count, seed=10 + t), SCHEDULE)
    jumped = forward_sample(x0, at(8), draw(count, seed=30), SCHEDULE)
    between = forward_sample(x0, at(5), draw(count, seed=31), SCHEDULE)
    halfway = forward_from(between, at(5), at(8), draw(count, seed=32), SCHEDULE)
    earlier = forward_sample(x0, at(7), draw(count, seed=33), SCHEDULE)
    assert stats.ks_2samp(walked, jumped).pvalue > 1e-3
    assert stats.ks_2samp(halfway, jumped).pvalue > 1e-3
    assert stats.ks_2samp(earlier, jumped).pvalue < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_data_keep_their_dtype_under_a_finer_schedule(dtype):
    x, noise, t = draw(3, 2).to(dtype), draw(3, 2, seed=1).to(dtype), torch.tensor([1, 5, 20])
    results = [
        forward_step(x, t, noise, SCHEDULE),
        forward_sample(x, t, noise, SCHEDULE),
        forward_from(x, t - 1, t, noise, SCHEDULE),
        *forward_marginal(x, t, SCHEDULE),
        forward_log_prob(x, noise, t - 1, t, SCHEDULE),
    ]
    assert {result.dtype for result in results} == {dtype}


def test_a_learned_schedule_gets_finite_slopes_at_the_data_and_where_nothing_moves():
    schedule = SCHEDULE.clone().requires_grad_()
    x, noise, t = draw(3, 2), draw(3, 2, seed=1), torch.tensor([0, 5, 20])
    loss = forward_sample(x, t, noise, schedule).square().sum() + forward_from(x, t, t, noise, schedule).square().sum()
    slope = torch.autograd.grad(loss, schedule)[0]
    assert slope.isfinite().all()
    assert slope[[5, 20]].abs().min() > 0


def test_both_wings_under_vmap_and_jit():
    schedule = cosine_alpha_bar(num_steps=6).double()
    x, noise, t = draw(4, 3, 2), draw(4, 3, 2, seed=1), torch.tensor([[0, 6, 3], [1, 2, 6], [5, 5, 5], [4, 0, 1]])
    wanted = torch.stack([forward_sample(*one, schedule) for one in zip(x, t, noise, strict=True)])
    mapped = torch.vmap(forward_sample, in_dims=(0, 0, 0, None))(x, t, noise, schedule)
    torch.testing.assert_close(mapped, wanted, rtol=1e-14, atol=0)
    arrays = [jnp.asarray(a.numpy()) for a in (x, t, noise, schedule)]
    theirs = jax.jit(jax.vmap(theory.forward_sample, in_axes=(0, 0, 0, None)))(*arrays)
    np.testing.assert_allclose(np.asarray(theirs), wanted.numpy(), rtol=1e-13, atol=1e-15)
