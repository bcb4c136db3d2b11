"""Jensen's inequality (lecture 5): the mean of a convex function is at least the function of the mean, and by how much.

Every bound of this course is this inequality at work: Gibbs, the evidence lower bound, the bounds on f-divergences.
"""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape


def jensen_gap(x, log_weights, convex_fn):
    r"""E f(X) - f(E X) = sum_k w_k f(x_k) - f(sum_k w_k x_k), with w = e^log_weights.

    convex_fn acts on each element. Points of weight zero do not count, wherever they lie.

    Raises ValueError if the shapes differ, a row of x is empty, or a row of log_weights does not sum to one.
    Source: Jensen 1906.
    [B, K], [B, K] -> [B]
    """
    x, weights, mean = _weighted_mean(x, log_weights)
    return jnp.sum(weights * convex_fn(x), axis=-1) - convex_fn(mean)


def log_mean_exp(x):
    r"""log of (1/K) sum_k e^x_k, without overflow; -inf if every entry is.

    Raises ValueError if a row of x is empty.  Source: Burda, Grosse & Salakhutdinov 2016 (there of importance weights).
    [B, K] -> [B]
    """
    require_rank(2, x=x)
    require(x.shape[1] > 0, "x has rows of length 0; a mean needs at least one term")
    return _logsumexp(x) - math.log(x.shape[1])


def log_jensen_gap(log_x, log_weights):
    r"""log E X - E log X = log(sum_k w_k x_k) - sum_k w_k log x_k >= 0, in nats, for x >= 0 given by its logarithm.

    The constant +inf where some points of positive weight, but not all, are 0; and 0, as for any constant, where all are.

    Raises ValueError if the shapes differ, a row of log_x is empty, or a row of log_weights does not sum to one.
    Source: Boyd & Vandenberghe, Convex Optimization, 3.1.
    [B, K], [B, K] -> [B]
    """
    _require_weighted(log_x=log_x, log_weights=log_weights)
    counts, zero = log_weights > -jnp.inf, jnp.isneginf(log_x)
    some, every = jnp.any(counts & zero, axis=-1), jnp.all(zero | ~counts, axis=-1)
    log_x = jnp.where(counts & ~zero, log_x, 0.0)
    gap = _logsumexp(log_x + log_weights) - jnp.sum(jnp.exp(log_weights) * log_x, axis=-1)
    return jnp.where(every, 0.0, jnp.where(some, jnp.inf, gap))


def bregman_divergence(x, y, potential_fn):
    r"""phi(x) - phi(y) - <grad phi(y), x - y>: how far phi is above its tangent at y, seen at x.

    potential_fn is phi, [B, D] -> [B]; its slope at y is taken by automatic differentiation.

    Raises ValueError if the shapes differ.  Source: Banerjee et al. 2005, definition 1.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x, y=y)
    require_same_shape(x=x, y=y)
    at_y, slope_toward_x = jax.jvp(potential_fn, (y,), (x - y,))
    return potential_fn(x) - at_y - slope_toward_x


def jensen_gap_bounds(x, log_weights, *, curvature_lower, curvature_upper):
    r"""(m/2) Var_w(x) <= jensen_gap <= (M/2) Var_w(x) for every f with m <= f'' <= M between the points.

    m = curvature_lower, M = curvature_upper, Var_w(x) = sum_k w_k (x_k - sum_j w_j x_j)^2. Returns (lower, upper).

    Raises ValueError if the shapes differ, a row of x is empty, a row of log_weights does not sum to one, or curvature_lower <=
    curvature_upper does not hold (for NaN, say).  Source: Liao & Berg 2019, Sharpening Jensen's inequality.
    [B, K], [B, K] -> [B], [B]
    """
    require(
        curvature_lower <= curvature_upper,
        f"curvature_lower is {curvature_lower}; it must be at most curvature_upper, {curvature_upper}",
    )
    x, weights, mean = _weighted_mean(x, log_weights)
    variance = jnp.sum(weights * (x - mean[:, None]) ** 2, axis=-1)
    return curvature_lower / 2 * variance, curvature_upper / 2 * variance


def _weighted_mean(x, log_weights):
    """x with its points of weight zero moved to the mean, where they do no harm; the weights; the mean."""
    _require_weighted(x=x, log_weights=log_weights)
    weights = jnp.exp(log_weights)
    counts = weights > 0
    mean = jnp.sum(weights * jnp.where(counts, x, 0.0), axis=-1)
    # else 0 * f(x) would be NaN where f has a pole, and again in the gradient
    return jnp.where(counts, x, mean[:, None]), weights, mean


def _logsumexp(x):
    # a row of -inf has no slope: its derivative is set to 0, where differentiating through would give 0/0
    empty = jnp.all(jnp.isneginf(x), axis=-1)
    return jnp.where(empty, -jnp.inf, logsumexp(jnp.where(empty[:, None], 0.0, x), axis=-1))


def _require_weighted(**arrays):
    require_rank(2, **arrays)
    require_same_shape(**arrays)
    (name, x), (_, log_weights) = arrays.items()
    require(x.shape[1] > 0, f"{name} has rows of length 0; a mean needs at least one point")
    require_log_probs(log_weights=log_weights)
