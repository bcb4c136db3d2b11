"""Checks of arguments that flows share."""

import jax.numpy as jnp

from theory_jax.arguments import require


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(jnp.ndim(array) >= 1, f"{name} has shape []; its first axis must be the batch")
