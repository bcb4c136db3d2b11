"""A mixture of Gaussians: the joint density of a point and its component."""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_log_probs, require_rank


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
