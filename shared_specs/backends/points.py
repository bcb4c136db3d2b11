"""Arrays at many points: an array may have a leading axis beyond those of the jaxpr's equation, with one entry per point.

An array without that axis is the same at all points. So rules count axes from the end.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jax.extend.core import JaxprEqn


def shape_of(equation: JaxprEqn) -> tuple[int, ...]:
    """The shape of the first result, at one point."""
    return tuple(equation.outvars[0].aval.shape)


def dtype_of(equation: JaxprEqn) -> np.dtype:
    """The dtype of the first result."""
    return equation.outvars[0].aval.dtype


def ranks(equation: JaxprEqn) -> list[int]:
    """Number of axes of each operand at one point."""
    return [atom.aval.ndim for atom in equation.invars]


def together(arrays: Sequence[np.ndarray], ranks: Sequence[int], points: int | None = None) -> Sequence[np.ndarray]:
    """The arrays, repeated for every point where some of them differ from point to point, or where there are so many."""
    points = _points(arrays, ranks) if points is None else points
    return (
        arrays
        if points is None
        else [
            array if np.ndim(array) > rank else np.broadcast_to(array, (points, *np.shape(array)))
            for array, rank in zip(arrays, ranks, strict=True)
        ]
    )


def point_by_point(run: Callable, ranks: Sequence[int], where: slice = slice(None)) -> Callable:
    """The function of arrays; one point at a time where operands among those of `where` differ from point to point."""

    def each(*arrays):
        if _points(arrays[where], ranks[where]) is None:
            return run(*arrays)
        rows = zip(*together(arrays, ranks), strict=True)
        found = [run(*row) for row in rows]
        return [np.stack(parts) for parts in zip(*found, strict=True)] if isinstance(found[0], list) else np.stack(found)

    return each


def _points(arrays, ranks):
    return next((len(array) for array, rank in zip(arrays, ranks, strict=True) if np.ndim(array) > rank), None)


def aligned(function: Callable, equation: JaxprEqn) -> Callable:
    """The ufunc of operands of one shape and of scalars, which get axes of their own where they differ from point to point."""
    most = max(ranks(equation), default=0)
    if all(rank == most or hasattr(atom, "val") for rank, atom in zip(ranks(equation), equation.invars, strict=True)):
        return function
    scalar = [rank < most for rank in ranks(equation)]

    def in_line(*arrays):
        parts = zip(arrays, scalar, strict=True)
        return function(*(np.reshape(a, (-1, *(1,) * most)) if alone and np.ndim(a) else a for a, alone in parts))

    return in_line


def moved(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """The array with its last axes in this order."""
    return np.transpose(x, (*range(x.ndim - len(order)), *(axis - len(order) for axis in order)))


def reshaped(x: np.ndarray, rank: int, shape: Sequence[int]) -> np.ndarray:
    """The array with its last `count` axes in this shape."""
    return np.reshape(x, (*np.shape(x)[: np.ndim(x) - rank], *shape))
