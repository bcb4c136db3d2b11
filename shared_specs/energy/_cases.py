"""Shared cases of the specs on restricted Boltzmann machines: small machines, and all states of a layer."""

import numpy as np

from shared_specs.rows import LOG_2, normal

# Two visible units and a hidden one, b = 0, c = 0, W = (log 2, log 2): e^-F = (2, 3, 3, 5) at v = 00, 01, 10, 11, Z = 13.
SMALL = {"weight": [[LOG_2], [LOG_2]], "visible_bias": [0.0, 0.0], "hidden_bias": [0.0]}
CORNERS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
MACHINE = {"weight": normal(4, 3), "visible_bias": normal(4), "hidden_bias": normal(3)}
SATURATED = {"weight": normal(4, 3, scale=600.0), "visible_bias": normal(4, scale=30.0), "hidden_bias": normal(3, scale=30.0)}


def states(units):
    """All states of a layer, [2^units, units], the first unit the most significant."""
    return np.indices((2,) * units).reshape(units, -1).T.astype(np.float64)


def softplus(x):
    """log(1 + e^x)."""
    return np.logaddexp(0.0, x)


def visible_law(weight, visible_bias, hidden_bias):
    """p(v) of every visible state, by enumeration."""
    visible = states(len(weight))
    unnormalized = np.exp(visible @ visible_bias + softplus(hidden_bias + visible @ weight).sum(1))
    return unnormalized / unnormalized.sum()
