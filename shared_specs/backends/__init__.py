"""The operations that the checker needs of NumPy, JAX and PyTorch: each module defines the same functions.

owns(value)                     whether value is this backend's array
to_native(array, precision)     NumPy array -> this backend's array ("float64" or "float32"; integers stay integers)
to_numpy(value)                 back, in its own dtype
contents(value)                 its bytes, which a function may not change; None where it cannot
value_and_vjp(...)              results, and vector-Jacobian products (NumPy alone has none)
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

NAMES = ("numpy", "jax", "torch")


@cache
def installed() -> tuple[str, ...]:
    """The names whose framework is there; it is not imported."""
    return tuple(name for name in NAMES if _is_there(name))


def _is_there(name):
    try:
        return find_spec(name) is not None
    except ImportError:  # of a finder that refuses it
        return False


def backend(name: str) -> ModuleType:
    """The module of verbs; the framework behind it is imported here and not before."""
    return import_module(f"shared_specs.backends.{name}_backend")
