"""Slopes of energies in the state, which samplers follow."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require_one_each


def slope(energy_fn, x):
    """grad E at every example of x: [B, ...] -> [B, ...]."""
    return energy_and_slope(energy_fn, x)[1]


def energy_and_slope(energy_fn, x):
    """E and grad E at every example of x: [B, ...] -> [B], [B, ...]."""

    def total(x):
        energies = energy_fn(x)
        require_one_each(x, **{"the result of energy_fn": energies})
        return jnp.sum(energies), energies

    gradient, energies = jax.grad(total, has_aux=True)(x)
    return energies, gradient
