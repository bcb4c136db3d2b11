"""Ancestral sampling: from noise back to data, one step of the reverse process after the other."""

import math

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_schedule,
    require_share,
    require_timesteps,
    require_values,
)
from practice_torch.diffusion._arguments import require_clip, require_noises, require_signal, require_variance
from practice_torch.mathematics.levels import as_rows, level_at, per_example


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
    require_signal("alpha_bar[t]", level_at(t, alpha_bar))
    _require_choices(variance, clip)
    return _step(x_t, noise_pred, noise, t, alpha_bar, variance, clip)


def ddpm_sample(x_T, noises, denoise_fn, alpha_bar, *, variance="large", clip=None):
    r"""x_0 at the end of the chain x_T -> x_(T-1) -> ... -> x_0 of ddpm_steps, with noises[t-1] at level t.

    denoise_fn(x, t) predicts the noise in x: [B, ...] at the levels t: [B].  noises[0] has no part in the result.
    Raises ValueError if noises is not one array like x_T for each level, alpha_bar is no schedule or ends at 0 (no noise tells
    the data there), variance is another word, or clip is not positive.
    Source: Ho et al. 2020, algorithm 2.
    [B, ...], [T, B, ...], [T+1] -> [B, ...]
    """
    require_schedule(alpha_bar)
    require_signal("alpha_bar", alpha_bar)
    _require_choices(variance, clip)
    levels = len(alpha_bar) - 1
    require_noises(x_T, noises, levels, "levels")
    x = x_T
    for level in range(levels, 0, -1):
        t = torch.full(x.shape[:1], level, device=x.device)
        x = _step(x, denoise_fn(x, t), noises[level - 1], t, alpha_bar, variance, clip)
    return x


def respaced_alpha_bar(alpha_bar, timesteps):
    r"""(1, a_(t_1), ..., a_(t_S)): the schedule of a chain of S steps that visits only the given levels, t_1 < ... < t_S.

    Its marginals are those of the long chain at these levels; its betas are larger, 1 - a_(t_i)/a_(t_(i-1)).
    Raises ValueError if timesteps are not increasing integers in 1..T, at least one, or alpha_bar is no schedule.
    Source: Nichol & Dhariwal 2021, section 4.
    [T+1], [S] -> [S+1]
    """
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(len(timesteps) >= 1, "timesteps is empty; a chain has at least one step")
    require_values("timesteps", timesteps, lambda t: torch.diff(t, prepend=t[:1] - 1) > 0, "above the one before it")
    return alpha_bar[torch.nn.functional.pad(as_int64(timesteps), (1, 0))]


def dynamic_threshold(x0_pred, *, quantile=0.995, minimum=1.0):
    r"""clip(x_0^, -s, s)/s with s = max(minimum, the quantile of |x_0^| over all entries of the example).

    Between two entries the quantile is interpolated linearly.  Where a prediction leaves the range of the data as a whole it is
    scaled back into it, not cut off; a few outliers alone are cut off.
    Raises ValueError unless quantile is in [0, 1] and minimum is positive.  Source: Saharia et al. 2022, section 2.3.
    [B, ...] -> [B, ...]
    """
    require_share(quantile=quantile)
    require_positive(minimum=minimum)
    magnitudes = as_rows(x0_pred.abs())
    place = quantile * (magnitudes.shape[1] - 1)
    below = math.floor(place)
    # a high quantile is among the few largest entries: only these are sorted
    largest = magnitudes.topk(magnitudes.shape[1] - below, dim=1).values
    low, high = largest[:, -1], largest[:, -2:][:, 0]
    scale = per_example(torch.lerp(low, high, place - below).clamp(min=minimum), x0_pred)
    return x0_pred.clamp(-scale, scale) / scale


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
    c, level = variance_data[:, None], alpha_bar[1:]
    # The slopes telescope: what enters at level t arrives in the sample times the slope of E(x_0 | x_t), sqrt(a_t) c/V_t.
    arrives = level * (c / ((1 - level) + level * c)).square()
    later = torch.arange(2, len(alpha_bar), device=alpha_bar.device)
    enters = torch.cat([_deviation(later, alpha_bar, variance).square(), alpha_bar.new_ones(1)])
    return (arrives @ enters).to(variance_data.dtype)


def _step(x_t, noise_pred, noise, t, alpha_bar, variance, clip):
    """ddpm_step without its checks, for loops that have made them."""
    before, after = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    x0 = (x_t - per_example((1 - after).sqrt(), x_t) * noise_pred) / per_example(after.sqrt(), x_t)
    if clip is not None:
        x0 = x0.clamp(-clip, clip)
    of_data = (before - after) / (before.sqrt() * (1 - after))
    of_noisy = (after / before).sqrt() * (1 - before) / (1 - after)
    sigma = _deviation(t, alpha_bar, variance)
    return per_example(of_data, x_t) * x0 + per_example(of_noisy, x_t) * x_t + per_example(sigma, x_t) * noise


def _deviation(t, alpha_bar, variance):
    """sigma_t: the root of beta_t or of beta~_t; the constant 0 at t = 1."""
    before, after = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    squared = (before - after) / before
    if variance == "small":
        squared = squared * (1 - before) / (1 - after)
    return squared.where(t > 1, 1.0).sqrt().where(t > 1, 0.0)


def _require_choices(variance, clip):
    require_variance(variance)
    require_clip(clip)
