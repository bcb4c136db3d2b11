"""Batches of one and empty batches, derived from a row and the last line of the docstring, for every function that takes a batch.

Where an array's shape has a letter B, that axis is the batch; where none has, the first of the axes that dots stand for; where
there are no dots either, N, the examples of a sample. The first Agree row of a function is run again with its first example
alone, and with none:

    one    The values and gradients are those of the first example among the others. A function with interacting examples
           (batch normalization, a mean) has no such answer: the reference computes its own for a batch of one.
    none   The results have the shapes that the docstring gives them, the gradients those of the arguments. The gradient of an
           argument that all examples share is a sum over no examples, which is zero.

If a mean over no example or a variance of one is undefined, the row sets smallest_batch, and a Rejects row covers the case.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared_specs.checking.arguments import Arguments, leaves, mapped
from shared_specs.checking.implementation import Implementation
from shared_specs.checking.shapes import parse
from shared_specs.checking.tolerance import ratio, unit_roundoff
from shared_specs.rows import Agree, Given, Row

if TYPE_CHECKING:
    from shared_specs.checking.measuring import Measured

NAMES = {1: "a batch of one", 0: "a batch of none"}
BATCH, DOTS, SAMPLE = "B", "...", "N"


@dataclass(frozen=True)
class Batch:
    """An Agree row once more, with the first example alone (size 1) or with none (size 0)."""

    of: Agree
    size: int

    @property
    def function(self) -> str:
        return self.of.function

    @property
    def case(self) -> str:
        return f"{self.of.case}, {NAMES[self.size]}"

    @property
    def edge(self) -> str:
        return self.of.edge or ("" if self.size else "well-known libraries fail on an empty batch")


def batches_of(row: Row, spec: Sequence[Row]) -> list[Batch]:
    """The small batches of a row, if it is the first Agree row of its function in the spec."""
    first = next((r for r in spec if isinstance(r, Agree) and r.function == getattr(row, "function", None)), None)
    return [Batch(row, size) for size in NAMES if size >= row.smallest_batch] if row is first else []


@dataclass(frozen=True)
class Axes:
    """The batch axis of each argument that has one, and of each result; None for a result without one."""

    arguments: dict[str, int]
    results: tuple[int | None, ...]

    def first(self, arguments: Arguments, count: int) -> Arguments:
        """The arguments with this many of their first examples."""
        return self._each(arguments, lambda array, at: np.take(array, range(count), axis=at))

    def copies(self, arguments: Arguments) -> Arguments:
        """The arguments with copies of the first example in the place of all others."""
        return self._each(arguments, lambda array, at: np.broadcast_to(np.take(array, [0], axis=at), array.shape).copy())

    def _each(self, arguments, change):
        """Every argument that has the batch's axis changed, a complex one in both of its parts."""
        return arguments | {
            name: mapped(arguments[name], lambda _, array, at=at: change(array, at)) for name, at in self.arguments.items()
        }


def batch_axes(docstring: str | None, arguments: Arguments) -> Axes | None:
    """The Axes of a function's arguments and results by its docstring; None if it takes no batch."""
    said = parse(docstring)
    arrays = [name for name, value in arguments.items() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(value))]
    shapes = {
        name: (dimensions, arguments[name].shape) for name, dimensions in zip(arrays, said.arguments, strict=True) if dimensions
    }
    for letter in (BATCH, DOTS, SAMPLE):
        axes = {name: _axis(letter, *shape) for name, shape in shapes.items()}
        sizes = [shapes[name][1][at] for name, at in axes.items() if at is not None]
        if not sizes:
            continue
        # No two axes of a row are equal: where dots begin with an axis of the batch's size, that is the batch's.
        dotted = {name: shape for name, (said, shape) in shapes.items() if _axis(DOTS, said, shape) == 0}
        axes |= {name: 0 for name, shape in dotted.items() if shape[0] == sizes[0]}
        results = tuple(_axis(letter, dimensions) if dimensions else None for dimensions in said.results)
        return Axes({name: at for name, at in axes.items() if at is not None}, results)
    return None


def _axis(letter, dimensions, shape=None):
    """The axis of a letter, or the first that leading dots stand for; None without one. Behind dots it counts from the end."""
    if letter not in dimensions:
        return None
    at = dimensions.index(letter)
    if letter == DOTS:
        return 0 if at == 0 and (shape is None or len(shape) >= len(dimensions)) else None
    return at - len(dimensions) if DOTS in dimensions[:at] else at


def measured(batch: Batch, asked: "Measured", axes: Axes, reference: Implementation) -> "Measured | Agree":
    """The expected values for a small batch, cut from the row's; or an Agree row if only the reference can compute them.

    asked: the Measured of the row. Its values are cut if every result has the batch's axis and the first example gets the same
    answer among copies of itself as among the others.
    """
    arguments = axes.first(asked.arguments, batch.size)
    to_be_measured = replace(batch.of, case=batch.case, given=Given(arguments))
    if None in axes.results or len(axes.results) != len(asked.wanted):
        return to_be_measured

    def cut(arrays, count=batch.size):
        return [np.take(array, range(count), axis=at) for array, at in zip(arrays, axes.results, strict=True)]

    if batch.size == 0:
        shapes = dict(leaves(arguments))
        gradients = tuple(np.zeros(shapes[key].shape) for key in asked.keys)
        found, limits, gradient_limits = cut(asked.wanted), cut(asked.limits), gradients
    else:
        copies = axes.copies(asked.arguments)
        if asked.keys:
            cotangents = [_only_first(c, at) for c, at in zip(asked.cotangents, axes.results, strict=True)]
            among_copies, pulled = reference.value_and_vjp(batch.function, copies, asked.keys, cotangents)
        else:
            among_copies, pulled = reference.call(batch.function, copies), ()
        found, limits = cut(asked.wanted), cut(asked.limits)
        if any(ratio(*parts, "float64") > 1 for parts in zip(cut(among_copies), found, limits, strict=True)):
            return to_be_measured
        gradients = tuple(_of_example(g, key, axes) for g, key in zip(pulled, asked.keys, strict=True))
        rounding = [16 * unit_roundoff("float64") * np.abs(g) for g in gradients]
        gradient_limits = [
            _of_example(limit, key, axes) + r for limit, key, r in zip(asked.gradient_limits, asked.keys, rounding, strict=True)
        ]
    cotangents = cut(asked.cotangents) if asked.keys else ()
    return replace(
        asked,
        arguments=arguments,
        wanted=tuple(found),
        limits=limits,
        cotangents=cotangents,
        gradients=gradients,
        gradient_limits=gradient_limits,
    )


def _only_first(array, axis):
    """Zero but for the first example."""
    kept = np.zeros_like(array)
    at = (slice(None),) * (axis % array.ndim) + (slice(1),)
    kept[at] = array[at]
    return kept


def _of_example(gradient, key, axes):
    """The part of a gradient that belongs to the first example; all of it where all examples share the argument."""
    return np.take(gradient, [0], axis=axes.arguments[key[0]]) if key[0] in axes.arguments else gradient
