"""NumPy: values only."""

import contextlib

import numpy as np

name = "numpy"
has_gradients = False


def owns(value):
    return isinstance(value, np.ndarray | np.generic)


def to_native(array, precision):
    return array.astype(precision) if np.issubdtype(array.dtype, np.floating) else array


def to_numpy(value):
    return np.asarray(value)


def contents(value):
    return value.tobytes()


def working_precision(precision):
    """NumPy has no default precision to set."""
    return contextlib.nullcontext()
