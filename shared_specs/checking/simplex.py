"""Gradients in log-probabilities, along the simplex.

A table of log-probabilities l has sum exp(l) = 1, so it moves only along directions v with sum p v = 0, p = exp(l). Along these,
and no others, all ways of writing a function of it have the same slope: a library that normalizes inside computes
f(l - logsumexp l), with gradient g - p sum g where that of f is g. Both have the same projection, g - p (p . g) / (p . p).
"""

import numpy as np

from shared_specs.checking.arguments import Arguments, Key, leaves
from shared_specs.checking.tolerance import FACTOR, unit_roundoff
from shared_specs.rows import Given, on_simplex


def simplex_paths(given: Given, arguments: Arguments) -> list[Key]:
    """The paths of the arguments that hold log-probabilities: marked in the row, and summing to one over the last axis."""
    drawn = dict(leaves(arguments))
    return [path for path, value in leaves(given.arguments) if on_simplex(value, drawn[path])]


def projected(vector: np.ndarray, log_probs: np.ndarray) -> np.ndarray:
    """The projection on the directions along which log-probabilities move; log 0 = -inf moves nowhere, and its entry stays."""
    p = np.exp(log_probs)
    possible = p > 0
    component = np.sum(p * np.where(possible, vector, 0.0), axis=-1, keepdims=True) / np.sum(p * p, axis=-1, keepdims=True)
    return np.where(possible, vector - p * component, vector)


def projected_limit(limit: np.ndarray, gradient: np.ndarray, log_probs: np.ndarray, precision: str) -> np.ndarray:
    """Tolerance of a projected gradient: the projected tolerance, plus the rounding of p sum g."""
    p = np.exp(log_probs)
    limit = np.broadcast_to(limit, p.shape)
    moving, size = (np.where(p > 0, part, 0.0) for part in (limit, np.abs(gradient)))
    shared = np.sum(p * moving, axis=-1, keepdims=True) / np.sum(p * p, axis=-1, keepdims=True)
    return limit + p * (shared + FACTOR * unit_roundoff(precision) * np.sum(size, axis=-1, keepdims=True))
