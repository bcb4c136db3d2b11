"""Shared parts of the topics on restricted Boltzmann machines: checks of arrays, and all states of a layer."""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require_binary, require_rank, require_shape, require_unit_interval


def require_machine(weight, **arrays):
    """A bias of each unit of weight [V, H], and rows of as many units; their names say of which layer."""
    require_rank(2, weight=weight)
    rows = [array for name, array in arrays.items() if not name.endswith("bias")]
    for name, array in arrays.items():
        units = jnp.shape(weight)[0 if "visible" in name else 1]
        if name.endswith("bias"):
            require_shape((units,), **{name: array})
            continue
        require_rank(2, **{name: array})
        require_shape((jnp.shape(rows[0])[0], units), **{name: array})
        check = require_unit_interval if name.endswith("uniforms") else require_binary
        check(**{name: array})


def require_steps(weight, rows, hidden_uniforms, visible_uniforms):
    """Uniform numbers of both layers, for this many steps and rows."""
    require_rank(3, hidden_uniforms=hidden_uniforms)
    steps = jnp.shape(hidden_uniforms)[0]
    visible_units, hidden_units = jnp.shape(weight)
    require_shape((steps, rows, hidden_units), hidden_uniforms=hidden_uniforms)
    require_shape((steps, rows, visible_units), visible_uniforms=visible_uniforms)
    require_unit_interval(hidden_uniforms=hidden_uniforms, visible_uniforms=visible_uniforms)


def states(units):
    """All states of a layer, [2^units, units], in binary counting order: the first unit is the most significant."""
    return (np.arange(2**units)[:, None] >> np.arange(units)[::-1] & 1).astype(np.float64)
