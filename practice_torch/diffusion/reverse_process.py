"""The reverse process: mean and variance of x_(t-1), given x_t and the data or a prediction of the noise."""

import torch

from practice_torch.arguments import require, require_same_shape, require_timesteps
from practice_torch.diffusion._arguments import require_signal, require_variance
from practice_torch.mathematics.levels import beta_at, level_at, per_example


def posterior_mean(x0, x_t, t, alpha_bar):
    r"""Mean of q(x_(t-1) | x_t, x_0): sqrt(a_(t-1)) beta_t/(1 - a_t) x_0 + sqrt(1 - beta_t) (1 - a_(t-1))/(1 - a_t) x_t.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 7.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, x_t=x_t)
    require_timesteps(alpha_bar, x_t, t=t)
    before, after, beta = level_at(t - 1, alpha_bar), level_at(t, alpha_bar), beta_at(t, alpha_bar)
    of_data = before.sqrt() * beta / (1 - after)
    of_noisy = (after / before).sqrt() * (1 - before) / (1 - after)
    return per_example(of_data, x0) * x0 + per_example(of_noisy, x_t) * x_t


def posterior_log_variance(t, alpha_bar):
    r"""log beta~_t, beta~_t = (1 - a_(t-1))/(1 - a_t) beta_t: of q(x_(t-1) | x_t, x_0), in each dimension; -inf at t = 1.

    Raises ValueError if t is not an integer in 1..T, or alpha_bar is no schedule.  Source: Ho et al. 2020, eq. 7.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    return _log_posterior_variance(t, alpha_bar).where(t > 1, -torch.inf)


def reverse_log_variance(t, alpha_bar, *, variance="large"):
    r"""log sigma_t^2 of the model's step, one of two fixed choices: "large" log beta_t, "small" log beta~_max(t, 2).

    beta~_1 is zero, so "small" takes the next one at t = 1: finite, as the decoder of the data needs it.
    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, variance is neither of the two, or it is "small"
    for a schedule of one step.  Source: Ho et al. 2020, section 3.2.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require_variance(variance)
    if variance == "large":
        return beta_at(t, alpha_bar).log()
    _require_two_steps(alpha_bar)
    return _log_posterior_variance(t.clamp(min=2), alpha_bar)


def reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar):
    r"""(x_t - beta_t/sqrt(1 - a_t) noise_pred)/sqrt(1 - beta_t): the posterior mean at the data that the predicted noise implies.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: where no signal is
    left, the noise does not tell the data.  Source: Ho et al. 2020, eq. 11.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred)
    require_timesteps(alpha_bar, x_t, t=t)
    before, after, beta = level_at(t - 1, alpha_bar), level_at(t, alpha_bar), beta_at(t, alpha_bar)
    require_signal("alpha_bar[t]", after)
    whitened = per_example(beta / (1 - after).sqrt(), x_t) * noise_pred
    return (x_t - whitened) * per_example((before / after).sqrt(), x_t)


def interpolated_log_variance(v, t, alpha_bar):
    r"""w log beta_t + (1 - w) log beta~_max(t, 2), w = (v + 1)/2: a learned variance between the two fixed ones, and beyond.

    v = -1 is the small one, v = 1 the large one; v is not clipped.
    Raises ValueError if t is not an integer in 1..T for each example, or alpha_bar is no schedule of at least two steps.
    Source: Nichol & Dhariwal 2021, eq. 15.
    [B, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, v, t=t)
    _require_two_steps(alpha_bar)
    large, small = beta_at(t, alpha_bar).log(), _log_posterior_variance(t.clamp(min=2), alpha_bar)
    return torch.lerp(per_example(small, v), per_example(large, v), (v + 1) / 2)


def _log_posterior_variance(t, alpha_bar):
    """log beta~_t for t >= 2. At t = 1, where beta~ is 0, a finite value, to keep the gradient of log 0 out."""
    noise_before = (1 - level_at(t - 1, alpha_bar)).where(t > 1, 1.0)
    return (beta_at(t, alpha_bar) * noise_before / (1 - level_at(t, alpha_bar))).log()


def _require_two_steps(alpha_bar):
    require(len(alpha_bar) >= 3, "alpha_bar has one step; the small variance, beta~_2, needs two")
