"""Dequantization: densities of noisy integers bound the probabilities of the integers; logits, and bits per dimension.

x holds integers 0..K-1, y = (x + u) / K is in [0, 1).
"""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_batch,
    require_integers,
    require_rank,
    require_same_shape,
    require_unit_interval,
    require_values,
    widened,
)


def uniform_dequantize(x, u, *, num_levels):
    r"""y = (x + u) / num_levels in [0, 1): noise u from [0, 1) spreads every integer over its cell.

    Where rounding would lift y to the next cell, y is the largest number of its cell, so that quantize returns x.

    Raises ValueError if x holds anything but integers in 0..num_levels-1, u has another shape or an entry outside [0, 1), or
    num_levels < 1.  Source: Theis et al. 2016, section 3.1.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_batch(x=x)
    require_at_least(1, num_levels=num_levels)
    require_integers(x=x)
    require_values("x", x, lambda x: (x >= 0) & (x < num_levels), f"a level, 0..{num_levels - 1}")
    require_same_shape(x=x, u=u)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    level = widened(x).astype(u.dtype)
    y, end = (level + u) / num_levels, (level + 1) / num_levels
    return jnp.where(y < end, y, jnp.nextafter(end, jnp.zeros_like(end)))


def quantize(y, *, num_levels):
    r"""The level k of the cell [k / num_levels, (k + 1) / num_levels) that contains y; 0 below, num_levels - 1 above all cells.

    Raises ValueError if y has no axis for the batch or an entry that is no number, or num_levels < 1.
    Source: Theis et al. 2016, section 3.1.
    [B, ...] -> [B, ...]
    """
    require_batch(y=y)
    require_at_least(1, num_levels=num_levels)
    require_values("y", y, lambda y: y == y, "a number")
    y = jax.lax.stop_gradient(jnp.clip(y, 0, 1))
    level = jnp.floor(y * num_levels)  # may round to either side of an edge: the edges themselves tell
    level = level - (y < level / num_levels)
    level = level + (y >= (level + 1) / num_levels)
    return jnp.clip(level, 0, num_levels - 1).astype(int)


def logit_forward(y, *, alpha=0.05):
    r"""z = log w - log (1 - w) of w = alpha/2 + (1 - alpha) y, and log |det dz/dy| = sum log(1 - alpha) - log w - log(1 - w).

    From pixels in [0, 1] to the whole line, with both ends at finite places.

    Raises ValueError if y has no axis for the batch or an entry outside [0, 1], or alpha is outside (0, 1).
    Source: Dinh et al. 2017, section 4.1.
    [B, ...] -> [B, ...], [B]
    """
    require_batch(y=y)
    _require_alpha(alpha)
    require_unit_interval(y=y)
    log_w, log_rest = jnp.log(alpha / 2 + (1 - alpha) * y), jnp.log(alpha / 2 + (1 - alpha) * (1 - y))
    return log_w - log_rest, _sum(math.log1p(-alpha) - log_w - log_rest)


def logit_inverse(z, *, alpha=0.05):
    r"""y = (sigma(z) - alpha/2) / (1 - alpha), and log |det dy/dz| = sum log sigma(z) + log sigma(-z) - log(1 - alpha).

    y is outside [0, 1] where |z| > log(2/alpha - 1).

    Raises ValueError if z has no axis for the batch, or alpha is outside (0, 1).  Source: Dinh et al. 2017, section 4.1.
    [B, ...] -> [B, ...], [B]
    """
    require_batch(z=z)
    _require_alpha(alpha)
    y = (jax.nn.sigmoid(z) - alpha / 2) / (1 - alpha)
    return y, -_sum(jax.nn.softplus(z) + jax.nn.softplus(-z) + math.log1p(-alpha))


def bits_per_dimension(log_prob, *, dim, num_levels=1):
    r"""-(log p(y) - D log K) / (D log 2): the bits that the integers cost, from the log-density of y in [0, 1)^D in nats.

    D is dim, K num_levels. On the average over the noise it is an upper bound. Without num_levels log_prob is that of the
    integers themselves, and these are their bits.

    Raises ValueError if log_prob is no vector, dim < 1 or num_levels < 1.  Source: Theis et al. 2016, section 3.1.
    [B] -> [B]
    """
    require_rank(1, log_prob=log_prob)
    require_at_least(1, dim=dim, num_levels=num_levels)
    return (math.log(num_levels) - log_prob / dim) / math.log(2)


def _require_alpha(alpha):
    require(0 < alpha < 1, f"alpha is {alpha}; it must be in (0, 1)")


def _sum(terms):
    return jnp.sum(terms, axis=tuple(range(1, terms.ndim)))
