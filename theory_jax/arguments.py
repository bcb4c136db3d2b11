"""Checks of arguments, theory wing: shapes always, values only where they are concrete (not under jit, grad or vmap)."""

import jax
import jax.numpy as jnp


def require(condition, message):
    """Raise ValueError(message) unless the Python condition holds."""
    if not condition:
        raise ValueError(message)


def require_rank(rank, **arrays):
    """Every named array has the given number of axes."""
    for name, array in arrays.items():
        require(jnp.ndim(array) == rank, f"{name} has shape {list(jnp.shape(array))}; it must have {rank} axes")


def require_same_shape(**arrays):
    """All named arrays have the shape of the first."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        require(
            jnp.shape(array) == jnp.shape(reference),
            f"{name} has shape {list(jnp.shape(array))}; it must equal that of {first}, {list(jnp.shape(reference))}",
        )


def require_values(name, array, holds, allowed):
    """holds(array) is true everywhere; skipped for traced arrays, whose values do not exist yet."""
    if isinstance(array, jax.core.Tracer):
        return
    ok = jnp.broadcast_to(holds(array), jnp.shape(array))
    if not bool(jnp.all(ok)):
        index = tuple(int(i) for i in jnp.argwhere(~ok)[0])
        where = f" at {list(index)}" if index else ""
        raise ValueError(f"{name} is {jnp.asarray(array)[index]}{where}; it must be {allowed}")


def require_log_probs(**arrays):
    """The last axis of every named array holds log-probabilities: |logsumexp| <= 1e-5."""
    for name, array in arrays.items():
        if isinstance(array, jax.core.Tracer):
            continue
        total = jax.scipy.special.logsumexp(array, axis=-1)
        if not bool(jnp.all(jnp.abs(total) <= 1e-5)):
            worst = float(jnp.exp(total.ravel()[jnp.argmax(jnp.nan_to_num(jnp.abs(total.ravel()), nan=jnp.inf))]))
            raise ValueError(f"{name} has a row of probabilities that sums to {worst:.6g}; every row must sum to 1")
