"""Mixtures: the joint density of a point and its Gaussian, and the mean of data that were scaled and noised. Theory wing."""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_log_probs, require_rank
from theory_jax.mathematics.levels import per_example


def log_joint(x, means, log_vars, log_weights):
    """log w_k N(x; m_k, e^l_k I), [B, K], and x - m_k, [B, K, D]."""
    require_rank(2, x=x)
    shape, dimensions = jnp.shape(means), jnp.shape(x)[1]
    allowed = [[dimensions], [jnp.shape(x)[0], dimensions]]
    fits = len(shape) in (2, 3) and [*shape[:-2], shape[-1]] in allowed
    require(fits, f"means has shape {list(shape)}; it must be [K, {dimensions}] or [{jnp.shape(x)[0]}, K, {dimensions}]")
    require_components(means, log_vars=log_vars)
    given, count = list(jnp.shape(log_weights)), [shape[-2]]
    require(given == count, f"log_weights has shape {given}; it must have one entry for each of the {count[0]} components")
    require_log_probs(log_weights=log_weights)
    away = x[:, None] - means
    squares = jnp.sum(away**2, axis=2)
    return log_weights - (squares * jnp.exp(-log_vars) + dimensions * (log_vars + math.log(2 * math.pi))) / 2, away


def require_components(means, **log_vars):
    """A log-variance for each component."""
    wanted = list(jnp.shape(means)[:-1])
    for name, array in log_vars.items():
        given = list(jnp.shape(array))
        require(given == wanted, f"{name} has shape {given}; it must be {wanted}, one for each component")


def mean_of_data(x, data, signal, variance):
    """sum_i w_i x_i, w = softmax_i(-||x - signal x_i||^2 / (2 variance)), [B, ...]; signal and variance: [B].

    It is the mean of the data that were scaled and noised to x, for the empirical distribution of the N data.
    """
    given, wanted = jnp.shape(data), jnp.shape(x)[1:]
    fits = len(given) >= 1 and given[0] >= 1 and given[1:] == wanted
    require(fits, f"data has shape {list(given)}; it must be {['N', *wanted]}, N >= 1")
    seen, points = jax.lax.collapse(x, 1)[:, None], jax.lax.collapse(data, 1)[None]
    scale = per_example(signal, seen)
    # -||x - r y||^2 / 2 = r <x - r/2 y, y> up to a constant; measured from the data's center, where the least cancels
    center = jnp.mean(points, axis=1, keepdims=True)
    around = points - center
    products = jnp.sum((seen - scale * (center + around / 2)) * around, axis=2)
    weights = jax.nn.softmax(scale[..., 0] * products / per_example(variance, products), axis=1)
    return jnp.tensordot(weights, data, axes=1)
