"""The forward process: noise added step by step, in one jump from the data, or in one jump from anywhere to anywhere."""

import math

import torch

from practice_torch.arguments import require_same_shape, require_timesteps, require_values, values_are_free
from practice_torch.mathematics.levels import as_rows, level_at, per_example


def forward_step(x_prev, t, noise, alpha_bar):
    r"""x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) noise, with beta_t = 1 - a_t/a_(t-1).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 2.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_prev=x_prev, noise=noise)
    require_timesteps(alpha_bar, x_prev, t=t)
    return _mixed(x_prev, noise, *_jump(t - 1, t, alpha_bar))


def forward_sample(x0, t, noise, alpha_bar):
    r"""x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise: t steps at once; x_0 itself at t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 0..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    kept = level_at(t, alpha_bar)
    return _mixed(x0, noise, kept, 1 - kept)


def forward_from(x_s, s, t, noise, alpha_bar):
    r"""x_t = sqrt(r) x_s + sqrt(1 - r) noise, r = a_t/a_s: the steps s+1..t at once; x_s itself where s = t.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s > t, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4, started at s; Kingma et al. 2021, appendix A.
    [B, ...], [B], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_s=x_s, noise=noise)
    require_timesteps(alpha_bar, x_s, lowest=0, s=s, t=t)
    if values_are_free(t):
        require_values("s", s, lambda s: s <= t, "at most t: noise is not taken away")
    return _mixed(x_s, noise, *_jump(s, t, alpha_bar))


def forward_marginal(x0, t, alpha_bar):
    r"""Mean sqrt(a_t) x_0 and log-variance log(1 - a_t) of q(x_t | x_0); the log-variance is -inf at t = 0.

    Raises ValueError if t is not an integer in 0..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [T+1] -> [B, ...], [B]
    """
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    kept = level_at(t, alpha_bar)
    return per_example(kept.sqrt(), x0) * x0, torch.log1p(-kept).to(x0.dtype)


def forward_log_prob(x_t, x_s, s, t, alpha_bar):
    r"""log q(x_t | x_s) = log N(x_t; sqrt(r) x_s, (1 - r) I), r = a_t/a_s, summed over all axes but the first; nats.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s >= t (at s = t there is no density), or alpha_bar
    is no schedule.  Source: Ho et al. 2020, eq. 2 and 4.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B]
    """
    require_same_shape(x_t=x_t, x_s=x_s)
    require_timesteps(alpha_bar, x_t, lowest=0, s=s, t=t)
    if values_are_free(t):
        require_values("s", s, lambda s: s < t, "below t: without a step there is no density")
    kept, lost = _jump(s, t, alpha_bar)
    distance = as_rows(x_t - per_example(kept.sqrt(), x_s) * x_s).square().sum(1)
    lost = lost.to(x_t.dtype)
    dimensions = math.prod(x_t.shape[1:])
    return -(dimensions * torch.log(2 * math.pi * lost) + distance / lost) / 2


def _mixed(x, noise, kept, lost):
    return per_example(kept.sqrt(), x) * x + per_example(lost.sqrt(), x) * noise


def _jump(s, t, alpha_bar):
    """r = a_t/a_s and 1 - r, [B]. Constants 1 and 0 where s = t: no slope, and no 0/0 at the end of a schedule that ends at 0."""
    moves = s != t
    before, after = level_at(s, alpha_bar).where(moves, 1.0), level_at(t, alpha_bar).where(moves, 1.0)
    return after / before, (before - after) / before
