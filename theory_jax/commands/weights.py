"""Weights by the names and in the layouts of torch: {"network.encoder.0.weight": array}."""

import numpy as np
from flax import nnx

from shared_specs.bridge import to_flax_layout, to_torch_layout, torch_name


def to_arrays(weights):
    """{name of a network: its state} -> {name: NumPy array}."""
    return {
        f"{network}.{_name(path)}": to_torch_layout(path[-1], _array(variable))
        for network, state in weights.items()
        for path, variable in nnx.to_flat_state(state)
    }


def from_arrays(weights, arrays):
    """States like these with the values of the arrays.  Raises KeyError for a name that arrays does not have."""
    return {network: _filled(network, state, arrays) for network, state in weights.items()}


def _filled(network, state, arrays):
    filled = []
    for path, variable in nnx.to_flat_state(state):
        value = to_flax_layout(path[-1], arrays[f"{network}.{_name(path)}"])
        filled.append((path, variable.replace(value.astype(variable.get_value().dtype))))
    return nnx.from_flat_state(filled)


def _name(path):
    """nnx.Sequential keeps its layers in an attribute `layers`, torch's in itself."""
    return torch_name([part for part in path if part != "layers"])


def _array(variable):
    return np.asarray(variable.get_value())
