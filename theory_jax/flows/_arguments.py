"""Checks of arguments that flows share."""

import jax.numpy as jnp

from theory_jax.arguments import require


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(jnp.ndim(array) >= 1, f"{name} has shape []; its first axis must be the batch")


def velocity_at(x, time, velocity_fn):
    """velocity_fn(x, time), which must have the shape of x."""
    velocity = velocity_fn(x, time)
    found, wanted = list(jnp.shape(velocity)), list(jnp.shape(x))
    require(found == wanted, f"velocity_fn returned shape {found}; it must return that of x, {wanted}")
    return velocity
