"""The ratio of a step, new policy to old, clipped in the direction of its advantage."""

import math

import jax.numpy as jnp


def is_cut(log_ratio, advantages, low, high):
    """Mask: the ratio is above 1 + high and A > 0, or below 1 - low and A < 0."""
    # of Python's numbers: a scalar of NumPy would make float64 of the comparison
    above, below = log_ratio > math.log1p(high), log_ratio < math.log1p(-low)
    return jnp.where(advantages > 0, above, (advantages < 0) & below)


def clipped_ratio(log_ratio, advantages, low, high):
    """min(rho, 1 + high) where A > 0, max(rho, 1 - low) where A < 0; its product with A is the clipped objective."""
    cut = is_cut(log_ratio, advantages, low, high)
    # Where it does not count, the ratio may overflow, and 0 times infinity would be the gradient.
    ratio = jnp.exp(jnp.where(cut | (advantages == 0), 0.0, log_ratio))
    return jnp.where(cut, jnp.where(advantages > 0, 1 + high, 1 - low), ratio)
