"""The operations that the checker needs of NumPy, JAX and PyTorch: each module defines the same functions.

owns(value)                     whether value is this backend's array
to_native(array, precision)     NumPy array -> this backend's array ("float64" or "float32"; integers stay integers)
to_numpy(value)                 back, in its own dtype
contents(value)                 its bytes, which a function may not change; None where it cannot
value_and_vjp(...)              results, and vector-Jacobian products (NumPy alone has none)
"""

from importlib import import_module
from types import ModuleType

NAMES = ("numpy", "jax", "torch")


def backend(name: str) -> ModuleType:
    """The module of verbs; the framework behind it is imported here and not before."""
    return import_module(f"shared_specs.backends.{name}_backend")
