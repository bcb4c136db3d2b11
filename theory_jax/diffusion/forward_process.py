"""The forward process: noise added step by step, in one jump from the data, or in one jump from anywhere to anywhere."""

import math

import jax.numpy as jnp

from theory_jax.arguments import require_same_shape, require_timesteps, require_values, widened
from theory_jax.mathematics.levels import beta_at, level_at, log_rest, per_example, sum_each


def forward_step(x_prev, t, noise, alpha_bar):
    r"""x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) noise, with beta_t = 1 - a_t/a_(t-1).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 2.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_prev=x_prev, noise=noise)
    require_timesteps(alpha_bar, x_prev, t=t)
    t = widened(t)
    kept = level_at(t, alpha_bar) / level_at(t - 1, alpha_bar)
    return per_example(jnp.sqrt(kept), x_prev) * x_prev + per_example(jnp.sqrt(beta_at(t, alpha_bar)), noise) * noise


def forward_sample(x0, t, noise, alpha_bar):
    r"""x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise: t steps at once; x_0 itself at t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 0..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x0) * x0 + per_example(jnp.sqrt(1 - a), noise) * noise


def forward_from(x_s, s, t, noise, alpha_bar):
    r"""x_t = sqrt(r) x_s + sqrt(1 - r) noise, r = a_t/a_s: the steps s+1..t at once; x_s itself where s = t.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s > t, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4, started at s; Kingma et al. 2021, appendix A.
    [B, ...], [B], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_s=x_s, noise=noise)
    require_timesteps(alpha_bar, x_s, lowest=0, s=s, t=t)
    require_values("s", s, lambda s: s <= t, "at most t: noise is not taken away")
    r, rest = _ratio(s, t, alpha_bar)
    return per_example(jnp.sqrt(r), x_s) * x_s + per_example(jnp.sqrt(rest), noise) * noise


def forward_marginal(x0, t, alpha_bar):
    r"""Mean sqrt(a_t) x_0 and log-variance log(1 - a_t) of q(x_t | x_0); the log-variance is -inf at t = 0.

    Raises ValueError if t is not an integer in 0..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [T+1] -> [B, ...], [B]
    """
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x0) * x0, log_rest(a).astype(x0.dtype)


def forward_log_prob(x_t, x_s, s, t, alpha_bar):
    r"""log q(x_t | x_s) = log N(x_t; sqrt(r) x_s, (1 - r) I), r = a_t/a_s, summed over all axes but the first; nats.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s >= t (at s = t there is no density), or alpha_bar
    is no schedule.  Source: Ho et al. 2020, eq. 2 and 4.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B]
    """
    require_same_shape(x_t=x_t, x_s=x_s)
    require_timesteps(alpha_bar, x_t, lowest=0, s=s, t=t)
    require_values("s", s, lambda s: s < t, "below t: without a step there is no density")
    r, rest = _ratio(s, t, alpha_bar)
    z = (x_t - per_example(jnp.sqrt(r), x_s) * x_s) / per_example(jnp.sqrt(rest), x_t)
    log_scale = per_example(jnp.log(rest), x_t) / 2
    return sum_each(-(z**2) / 2 - log_scale - math.log(2 * math.pi) / 2)


def _ratio(s, t, alpha_bar):
    """r = a_t/a_s and 1 - r; the constants 1 and 0 where s = t, also at the end of a schedule with a_T = 0."""
    s, t = widened(s), widened(t)
    still = s == t
    a_s = jnp.where(still, 1.0, level_at(s, alpha_bar))
    a_t = jnp.where(still, 1.0, level_at(t, alpha_bar))
    return a_t / a_s, (a_s - a_t) / a_s
