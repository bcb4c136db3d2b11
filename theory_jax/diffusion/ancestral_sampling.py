"""Ancestral sampling: from noise back to data, one step of the reverse process after the other."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_schedule,
    require_share,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.diffusion._arguments import require_clip, require_noises, require_signal, require_variance
from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.parameterizations import x0_from_noise
from theory_jax.diffusion.reverse_process import posterior_mean, reverse_mean_from_noise
from theory_jax.mathematics.levels import beta_at, per_example, share_of_noise


def ddpm_step(x_t, noise_pred, noise, t, alpha_bar, *, variance="large", clip=None):
    r"""x_(t-1) = mu~_t(x_0^, x_t) + sigma_t noise: the posterior mean at the predicted data, and fresh noise; none at t = 1.

    x_0^ = (x_t - sqrt(1 - a_t) noise_pred)/sqrt(a_t), clipped to [-clip, clip] if clip is given.  sigma_t^2 is beta_t ("large")
    or beta~_t ("small").
    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, a_t = 0 (the noise does not
    tell the data there), variance is another word, or clip is not positive.
    Source: Ho et al. 2020, algorithm 2 and eq. 11.
    [B, ...], [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise)
    require_timesteps(alpha_bar, x_t, t=t)
    _require_choices(variance, clip)
    if clip is None:
        mean = reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
    else:
        x0 = jnp.clip(x0_from_noise(x_t, noise_pred, t, alpha_bar), -clip, clip)
        mean = posterior_mean(x0, x_t, t, alpha_bar)
    return mean + per_example(_deviation(t, alpha_bar, variance), noise) * noise


def ddpm_sample(x_T, noises, denoise_fn, alpha_bar, *, variance="large", clip=None):
    r"""x_0 at the end of the chain x_T -> x_(T-1) -> ... -> x_0 of ddpm_steps, with noises[t-1] at level t.

    denoise_fn(x, t) predicts the noise in x: [B, ...] at the levels t: [B].  noises[0] has no part in the result.
    Raises ValueError if noises is not one array like x_T for each level, alpha_bar is no schedule or ends at 0 (no noise tells
    the data there), variance is another word, or clip is not positive.
    Source: Ho et al. 2020, algorithm 2.
    [B, ...], [T, B, ...], [T+1] -> [B, ...]
    """
    require_schedule(alpha_bar)
    _require_choices(variance, clip)
    levels = jnp.shape(alpha_bar)[0] - 1
    require_noises(x_T, noises, levels, "levels")
    require_signal("alpha_bar", alpha_bar)

    def step(x, at):
        level, noise = at
        t = jnp.full(x.shape[0], level)
        return ddpm_step(x, denoise_fn(x, t), noise, t, alpha_bar, variance=variance, clip=clip), None

    # compiled once for all levels, however many there are
    return jax.lax.scan(step, x_T, (jnp.arange(1, levels + 1), noises), reverse=True)[0]


def respaced_alpha_bar(alpha_bar, timesteps):
    r"""(1, a_(t_1), ..., a_(t_S)): the schedule of a chain of S steps that visits only the given levels, t_1 < ... < t_S.

    Its marginals are those of the long chain at these levels; its betas are larger, 1 - a_(t_i)/a_(t_(i-1)).
    Raises ValueError if timesteps are not increasing integers in 1..T, at least one, or alpha_bar is no schedule.
    Source: Nichol & Dhariwal 2021, section 4.
    [T+1], [S] -> [S+1]
    """
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(jnp.shape(timesteps)[0] >= 1, "timesteps is empty; a chain has at least one step")
    require_values("timesteps", timesteps, lambda t: np.append(True, t[1:] > t[:-1]), "above the one before it")
    return jnp.concatenate([alpha_bar[:1], jnp.take(alpha_bar, widened(timesteps), mode="clip")])


def dynamic_threshold(x0_pred, *, quantile=0.995, minimum=1.0):
    r"""clip(x_0^, -s, s)/s with s = max(minimum, the quantile of |x_0^| over all entries of the example).

    Between two entries the quantile is interpolated linearly.  Where a prediction leaves the range of the data as a whole it is
    scaled back into it, not cut off; a few outliers alone are cut off.
    Raises ValueError unless quantile is in [0, 1] and minimum is positive.  Source: Saharia et al. 2022, section 2.3.
    [B, ...] -> [B, ...]
    """
    require_share(quantile=quantile)
    require_positive(minimum=minimum)
    magnitudes = jnp.sort(jax.lax.collapse(jnp.abs(x0_pred), 1), axis=1)
    # in Python's floats: the place among a million entries is not a number of float32
    place = quantile * (magnitudes.shape[1] - 1)
    below = math.floor(place)
    above = min(below + 1, magnitudes.shape[1] - 1)
    scale = magnitudes[:, below] + (place - below) * (magnitudes[:, above] - magnitudes[:, below])
    scale = per_example(jnp.maximum(scale, minimum), x0_pred)
    return jnp.clip(x0_pred, -scale, scale) / scale


def gaussian_sampling_variance(variance_data, alpha_bar, *, variance="large"):
    r"""Var(x_0) of what ddpm_sample makes of white noise, in each dimension, for data N(0, c) and the best prediction.

    The best prediction of the noise is sqrt(1 - a_t) x_t/V_t, V_t = 1 - a_t + a_t c.  With it a step is linear, and from v_T = 1
    v_(t-1) = (a_t/a_(t-1)) (V_(t-1)/V_t)^2 v_t + sigma_t^2, without the last term at t = 1.
    Raises ValueError if variance_data is negative somewhere, alpha_bar is no schedule, or variance is another word than "large"
    or "small".  Source: the moments of Ho et al. 2020, algorithm 2; on the variance that would be best, Bao et al. 2022.
    [D], [T+1] -> [D]
    """
    require_schedule(alpha_bar)
    require_rank(1, variance_data=variance_data)
    require_values("variance_data", variance_data, lambda c: c >= 0, "at least 0")
    _require_choices(variance, None)
    levels = jnp.arange(1, jnp.shape(alpha_bar)[0])
    added = _deviation(levels, alpha_bar, variance) ** 2

    def step(v, at):
        a_t, a_prev, sigma_squared = at
        slope_squared = a_t / a_prev * (noised_variance(variance_data, a_prev) / noised_variance(variance_data, a_t)) ** 2
        return (slope_squared * v + sigma_squared).astype(v.dtype), None

    start = jnp.ones_like(variance_data)
    return jax.lax.scan(step, start, (alpha_bar[1:], alpha_bar[:-1], added), reverse=True)[0]


def _deviation(t, alpha_bar, variance):
    """sigma_t, [B]: the root of beta_t or of beta~_t, and 0 at t = 1, where it has no slope either."""
    t = widened(t)
    first = t == 1
    squared = beta_at(t, alpha_bar)
    if variance == "small":
        squared = squared * share_of_noise(t, alpha_bar)
    return jnp.where(first, 0.0, jnp.sqrt(jnp.where(first, 1.0, squared)))


def _require_choices(variance, clip):
    require_variance(variance)
    require_clip(clip)
