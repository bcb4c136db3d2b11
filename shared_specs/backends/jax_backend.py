"""JAX on the CPU in true float64: x64 on, exact matrix products, a persistent compilation cache."""

import contextlib
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from shared_specs.backends.jax_settings import CACHE, QUICK, UNFINISHED

if QUICK not in os.environ.get("XLA_FLAGS", ""):  # what the user sets comes last and wins
    os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_matmul_precision", "highest")
for setting, value in CACHE.items():
    jax.config.update(setting, value)
warnings.filterwarnings("ignore", UNFINISHED)

name = "jax"
has_gradients = True


def owns(value: Any) -> bool:
    return isinstance(value, jax.Array)


def to_native(array: np.ndarray, precision: str) -> jax.Array:
    array = np.asarray(array)
    # device_put, because asarray compiles a program that does nothing for every new shape
    return jax.device_put(array.astype(precision) if np.issubdtype(array.dtype, np.floating) else array)


def to_numpy(value: jax.Array) -> np.ndarray:
    return np.asarray(value)


def contents(value: jax.Array) -> None:
    """JAX arrays are immutable."""
    return None


def value_and_vjp(
    function: Callable, arguments: Sequence[jax.Array], cotangents: Sequence[jax.Array]
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """function(*arguments) -> tuple of arrays. Its results, and the gradients of sum <cotangent, result>."""
    results, pull_back = jax.vjp(function, *arguments)
    return results, pull_back(tuple(c.astype(r.dtype) for c, r in zip(cotangents, results, strict=True)))


def jacobian(function: Callable, argument: jax.Array) -> jax.Array:
    """The Jacobian of one array-valued function of one array, [outputs..., inputs...]."""
    return jax.jacrev(function)(argument)


def working_precision(precision: str) -> contextlib.AbstractContextManager:
    """The precision of a result made from integers alone follows x64, which stays on: nothing to set."""
    return contextlib.nullcontext()
