"""Variational diffusion against SciPy, torch.distributions and diffusers, and what a row cannot say: dtypes and transforms."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from practice_torch.data import images
from practice_torch.diffusion import variational_diffusion as practice
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import linear_alpha_bar, log_snr
from practice_torch.experiments.diffusion.variational_diffusion import RECIPES, build
from theory_jax.diffusion import variational_diffusion as theory

LATER, EARLIER = torch.tensor([-3.0, 0.4, 1.0]).double(), torch.tensor([1.5, 0.9, 4.0]).double()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_sample_is_that_of_the_chain():
    alpha_bar, t = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double(), torch.tensor([1, 7, 20])
    x0, noise = draw(3, 4), draw(3, 4, seed=1)
    got = practice.variance_preserving_sample(x0, noise, log_snr(alpha_bar)[t])
    torch.testing.assert_close(got, forward_sample(x0, t, noise, alpha_bar), rtol=1e-12, atol=1e-13)


def test_the_posterior_is_bayes_on_a_grid():
    """Mean and variance of z_s from the densities of z_s given x_0 and of z_t given z_s."""
    grid, (x0, z_t) = np.linspace(-9, 9, 20_001), (0.8, -1.1)
    for level_t, level_s in ((-3.0, 1.5), (0.4, 0.9), (1.0, 4.0)):
        alpha_t, alpha_s, sigma_t, sigma_s = (1 / math.sqrt(1 + math.exp(x)) for x in (-level_t, -level_s, level_t, level_s))
        spread = math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
        weights = stats.norm.pdf(grid, alpha_s * x0, sigma_s) * stats.norm.pdf(z_t, alpha_t / alpha_s * grid, spread)
        weights /= weights.sum()
        mean = (weights * grid).sum()
        variance = (weights * (grid - mean) ** 2).sum()
        arguments = (torch.tensor([value], dtype=torch.float64) for value in (z_t, x0, level_t, level_s))
        got_mean, got_log_var = practice.posterior(*arguments)
        np.testing.assert_allclose([got_mean.item(), got_log_var.exp().item()], [mean, variance], rtol=1e-9)


def test_a_step_costs_the_divergence_of_torch_distributions():
    z, x0, guess = draw(3, 4), draw(3, 4, seed=1), draw(3, 4, seed=2)
    (mean, log_var), (other, _) = (practice.posterior(z, data, LATER, EARLIER) for data in (x0, guess))
    scale = (log_var / 2).exp()[:, None].expand(3, 4)
    wanted = kl_divergence(Independent(Normal(mean, scale), 1), Independent(Normal(other, scale), 1))
    torch.testing.assert_close(practice.discrete_diffusion_loss(guess, x0, EARLIER, LATER), wanted, rtol=1e-11, atol=0)


def test_the_weight_is_the_integral_of_the_snr():
    """1/2 (SNR(s) - SNR(t)), by SciPy's quadrature over the log-SNR."""
    got = practice.discrete_diffusion_loss(torch.ones(3, 1).double(), torch.zeros(3, 1).double(), EARLIER, LATER)
    wanted = [integrate.quad(math.exp, t, s, epsabs=0)[0] / 2 for t, s in zip(LATER.tolist(), EARLIER.tolist(), strict=True)]
    np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-12)


def test_the_decoder_is_a_categorical():
    values, z0, level = torch.linspace(-1, 1, 9).double(), draw(3, 4), torch.tensor([2.0, -1.0, 3.0]).double()
    index = torch.arange(12).reshape(3, 4) % 9
    alpha, variance = torch.sigmoid(level).sqrt()[:, None, None], torch.sigmoid(-level)[:, None, None]
    wanted = Categorical(logits=-((z0[..., None] - alpha * values) ** 2) / (2 * variance)).log_prob(index).sum(1)
    torch.testing.assert_close(practice.reconstruction_log_prob(z0, index, values, level), wanted, rtol=1e-12, atol=0)


def test_an_almost_certain_pixel_keeps_its_doubt():
    """Two values at log-SNR l: log p = -log(1 + e^(-2 z e^l / alpha)); far from 0 in float32 where log-softmax gives 0."""
    z0, level = torch.tensor([1.0, 0.9]), torch.tensor([3.0, 2.7])
    got = practice.reconstruction_log_prob(z0, torch.tensor([1, 1]), torch.tensor([-1.0, 1.0]), level)
    alpha = 1 / np.sqrt(1 + np.exp(-level.double().numpy()))
    np.testing.assert_allclose(
        got.numpy(), -np.log1p(np.exp(-2 * z0.double().numpy() * np.exp(level.double().numpy()) / alpha)), rtol=1e-4
    )
    assert (got < 0).all()


def test_the_posterior_is_diffusers_step_without_noise():
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDPMScheduler(num_train_timesteps=1000, clip_sample=False, prediction_type="sample")
    levels = log_snr(linear_alpha_bar(num_steps=1000).double())
    for t in (2, 400, 999):
        guess, z = draw(3, 2, seed=t), draw(3, 2, seed=t + 1)
        answer = peer.step(guess, t - 1, z, generator=torch.Generator().manual_seed(0)).prev_sample
        noise = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        mean, log_var = practice.posterior(z, guess, levels[t].expand(3), levels[t - 1].expand(3))
        torch.testing.assert_close(answer, mean + (log_var / 2).exp()[:, None] * noise, rtol=1e-3, atol=1e-3)


def test_times_of_a_batch_are_spread_more_evenly_than_independent_ones():
    """Kolmogorov-Smirnov: 64 times are never further than 1/64 from uniform, whatever u."""
    for u in (0.0, 0.3, 0.999):
        times = practice.low_discrepancy_times(torch.tensor(u).double(), batch_size=64).numpy()
        assert stats.kstest(times, "uniform").statistic <= 1 / 64 + 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_data_keep_their_dtype_under_finer_levels(dtype):
    x, y = draw(3, 2).to(dtype), draw(3, 2, seed=1).to(dtype)
    results = [
        practice.variance_preserving_sample(x, y, LATER),
        *practice.posterior(x, y, LATER, EARLIER),
        practice.discrete_diffusion_loss(x, y, EARLIER, LATER),
        practice.continuous_diffusion_loss(x, y, -EARLIER),
        practice.linear_log_snr(torch.rand(3).to(dtype), log_snr_max=6.0, log_snr_min=-5.0),
        practice.low_discrepancy_times(torch.tensor(0.3).to(dtype), batch_size=4),
        practice.reconstruction_log_prob(x, torch.zeros(3, 2, dtype=torch.long), torch.tensor([-1.0, 1.0]).to(dtype), EARLIER),
    ]
    assert {result.dtype for result in results} == {dtype}


def test_a_float32_posterior_between_almost_equal_levels():
    """A step of a thousandth: the variance is a thousandth of sigma_s^2, to all of float32's digits."""
    t, s = torch.tensor([2.0, -5.0, 9.0]), torch.tensor([2.0, -5.0, 9.0]) + 2.0**-10
    x = draw(3, 2).float()
    _, log_var = practice.posterior(x, x, t, s)
    exact = np.log(-np.expm1(-(2.0**-10))) - np.log1p(np.exp(s.double().numpy()))
    np.testing.assert_allclose(log_var.numpy(), exact, rtol=3e-7)


def test_both_wings_under_vmap_and_jit():
    z, x, index = draw(4, 3, 2), draw(4, 3, 2, seed=1), torch.arange(24).reshape(4, 3, 2) % 4
    t, values = draw(4, 3, seed=2), torch.tensor([-1.0, 0.0, 0.5, 2.0]).double()
    s = t + draw(4, 3, seed=3).square()
    cases = {
        "posterior": (z, x, t, s),
        "discrete_diffusion_loss": (z, x, s, t),
        "continuous_diffusion_loss": (z, x, -t.square()),
        "reconstruction_log_prob": (z, index, values, t),
    }
    for name, arguments in cases.items():
        axes = tuple(None if argument is values else 0 for argument in arguments)
        ours = torch.vmap(getattr(practice, name), in_dims=axes)(*arguments)
        theirs = jax.jit(jax.vmap(getattr(theory, name), in_axes=axes))(*(jnp.asarray(a.numpy()) for a in arguments))
        for a, b in zip(jax.tree.leaves(theirs), ours if isinstance(ours, tuple) else (ours,), strict=True):
            np.testing.assert_allclose(np.asarray(a), b.numpy(), rtol=1e-11, atol=1e-13)


class Exact(torch.nn.Module):
    """E(noise | z) for pixels that are -1 or 1 with probability 1/2 each: the data are a hyperbolic tangent."""

    def forward(self, z, level):
        level = level.double().reshape(-1, 1, 1, 1)
        alpha, sigma = torch.sigmoid(level).sqrt(), torch.sigmoid(-level).sqrt()
        return (z - alpha * torch.tanh(alpha * z / sigma**2)) / sigma


def test_the_experiments_bound_is_one_bit_for_fair_coins():
    """Black and white pixels by chance have 1 bit each; with the best denoiser the bound is that, whatever the schedule's ends.

    One time for each of 2,000 images: the standard deviation is 0.014. A factor of 2 anywhere is off by 0.3 or more.
    """
    train, _ = images.load("digits")
    for top, bottom in ((8.0, -7.0), (5.0, -6.0)):
        recipe = dataclasses.replace(RECIPES["digits"], num_levels=2, log_snr_max=top, log_snr_min=bottom)
        experiment = build(recipe, train).double()
        experiment.predictor, experiment.generator = Exact(), torch.Generator().manual_seed(0)
        coins = torch.randint(2, (2000, 1, 8, 8), generator=torch.Generator().manual_seed(1)).double()
        bits, parts = experiment({"image": coins}, "train")
        assert abs(bits.item() - 1) < 0.05
        assert all(part >= 0 for part in parts.values())


def test_the_ends_of_the_schedule_learn():
    """Their gradient is that of the whole bound: too early an end costs in the prior, and the descent lowers it."""
    train, _ = images.load("digits")
    recipe = dataclasses.replace(RECIPES["digits"], log_snr_max=8.0, log_snr_min=1.0)
    experiment = build(recipe, train)
    experiment.generator = torch.Generator().manual_seed(0)
    loss, _ = experiment(train.batch(torch.arange(64)), "train")
    bottom, rise = torch.autograd.grad(loss, (experiment.ends.bottom, experiment.ends.rise))
    assert bottom > 0
    assert rise.isfinite() and rise != 0
