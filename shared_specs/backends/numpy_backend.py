"""NumPy: values only."""

import contextlib
from typing import Any

import numpy as np

name = "numpy"
has_gradients = False


def owns(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic)


def to_native(array: np.ndarray, precision: str) -> np.ndarray:
    return array.astype(precision) if np.issubdtype(array.dtype, np.floating) else array


def to_numpy(value: np.ndarray) -> np.ndarray:
    return np.asarray(value)


def contents(value: np.ndarray) -> bytes:
    return value.tobytes()


def working_precision(precision: str) -> contextlib.AbstractContextManager:
    """NumPy has no default precision to set."""
    return contextlib.nullcontext()
