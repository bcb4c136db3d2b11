"""Arguments and results as nested tuples and dictionaries of NumPy arrays: their paths, their leaves, and complex arrays.

optree and JAX's pytrees sort the keys of a dictionary and take lists apart, which are hyper-parameters here.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import numpy as np

from shared_specs.complex_pair import Complex

Arguments = dict[str, Any]  # by name; a value may be an array, a tuple or dictionary of them, or a hyper-parameter
Arrays = tuple[np.ndarray, ...]
Key = tuple[str | int, ...]  # the path of an array among arguments: ("weights", 0), ("parameters", "bias")


def is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)


def leaves(value: Any, path: Key = ()) -> Iterator[tuple[Key, Any]]:
    """(path, leaf) of everything in nested tuples and dictionaries; a path is ('weights', 0) or ('parameters', 'bias')."""
    if isinstance(value, tuple | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def mapped(value: Any, function: Callable[[Key, Any], Any], path: Key = ()) -> Any:
    """The value with function(path, leaf) in the place of each leaf."""
    if isinstance(value, dict):
        return {key: mapped(part, function, (*path, key)) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = (mapped(part, function, (*path, i)) for i, part in enumerate(value))
        return Complex(*parts) if isinstance(value, Complex) else tuple(parts)
    return function(path, value)


def arrays_in(arguments: Any) -> Iterator[tuple[Key, np.ndarray]]:
    """(path, array) of the floating arrays among the arguments; a path begins with the argument's name."""
    return ((path, leaf) for path, leaf in leaves(arguments) if is_floating(leaf))


def with_arrays(arguments: Arguments, replacements: Mapping[Key, Any]) -> Arguments:
    """The arguments with the arrays at the given paths replaced."""
    return mapped(arguments, lambda path, leaf: replacements.get(path, leaf))


def whole(value: Any) -> Any:
    """The complex array of a Complex; anything else unchanged."""
    return value.real + 1j * value.imaginary if isinstance(value, Complex) else value


def by_parts(function: Callable) -> Callable:
    """A function of complex arrays, wrapped to take and return Complex values."""

    def parted(_, leaf):
        return Complex(leaf.real, leaf.imag) if "complex" in str(getattr(leaf, "dtype", "")) else leaf

    @wraps(function)
    def call(*positional, **keywords):
        value = function(*map(whole, positional), **{name: whole(value) for name, value in keywords.items()})
        return mapped(value, parted)

    return call


def dotted(path: Key) -> str:
    """A path as a name: weights.0."""
    return ".".join(map(str, path))
