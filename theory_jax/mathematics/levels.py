"""Levels of diffusion: look one up, broadcast it to the batch, sum. Theory wing."""

import jax.numpy as jnp

from theory_jax.arguments import widened


def level_at(t, alpha_bar):
    """a_t of every example, [B], in the schedule's dtype. a_0 = 1 is a constant: 1 - a_0 = 0 has a root and a logarithm without
    slope, and gets none."""
    t = widened(t)
    return jnp.where(t == 0, 1.0, jnp.take(alpha_bar, t, mode="clip"))  # the checks of t refuse what would have to be clipped


def beta_at(t, alpha_bar):
    """beta_t = 1 - a_t/a_(t-1) of every example, [B], as one exact difference: 1 less a rounded ratio loses the small betas."""
    before = level_at(widened(t) - 1, alpha_bar)
    return (before - level_at(t, alpha_bar)) / before


def share_of_noise(t, alpha_bar):
    """(1 - a_(t-1))/(1 - a_t), which is beta~_t/beta_t."""
    return (1 - level_at(t - 1, alpha_bar)) / (1 - level_at(t, alpha_bar))


def per_example(coefficient, x):
    """A coefficient of every example, [B], with the dtype of x and its number of axes: it meets the batch, not the last axis."""
    return jnp.expand_dims(coefficient.astype(x.dtype), tuple(range(1, x.ndim)))


def sum_each(x):
    """The sum of every example's entries, [B]."""
    return jnp.sum(x, axis=tuple(range(1, jnp.ndim(x))))


def log_rest(share):
    """log(1 - a), with a = 0 and 1 among its values. XLA's log1p on CPU is trustworthy for positive arguments only."""
    small = share < 0.5
    odds = jnp.where(small, share, 0.0) / (1 - jnp.where(small, share, 0.0))
    return jnp.where(small, -jnp.log1p(odds), jnp.log(1 - jnp.where(small, 0.5, share)))
