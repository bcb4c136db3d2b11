"""Slopes of energies in the state, which samplers follow."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require_one_each


def slope(energy_fn, x):
    """grad E at every example of x: [B, ...] -> [B, ...]."""

    def total(x):
        energies = energy_fn(x)
        require_one_each(x, **{"the result of energy_fn": energies})
        return jnp.sum(energies)

    return jax.grad(total)(x)
