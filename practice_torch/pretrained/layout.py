"""A layout says how the parameters of a network here are those of a published one: rows of data, read in both directions.

A row is (ours, theirs, how). What they hold must be all that there is: a tensor that no row names, a parameter that no row fills,
another shape, a tie that is broken are errors, each one line with the name, the shape given and the shape wanted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from practice_torch.data.errors import DataError


@dataclass(frozen=True)
class Same:
    """Theirs is ours."""

    def wanted(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The shape of each of theirs, given that of ours."""
        return [shape]

    def gathered(self, parts: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
        """Ours, of theirs."""
        return parts[0]

    def scattered(self, tensor: Tensor) -> list[Tensor]:
        """Theirs, of ours."""
        return [tensor]


@dataclass(frozen=True)
class Transposed:
    """Theirs is [in, out], as GPT-2's layers store a matrix."""

    def wanted(self, shape):
        return [shape[::-1]]

    def gathered(self, parts, shape):
        return parts[0].T.contiguous()

    def scattered(self, tensor):
        return [tensor.T]


@dataclass(frozen=True)
class Joined:
    """Several of theirs, of these sizes along the axis, are one of ours: queries, keys and values, for example."""

    sizes: tuple[int, ...]
    axis: int = 0

    def wanted(self, shape):
        return [(*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes]

    def gathered(self, parts, shape):
        return torch.cat(list(parts), self.axis)

    def scattered(self, tensor):
        return list(tensor.split(list(self.sizes), self.axis))


@dataclass(frozen=True)
class Reshaped:
    """The same numbers in the same order; theirs has this shape: a convolution of one pixel is a matrix, for example."""

    shape: tuple[int, ...]

    def wanted(self, shape):
        return [self.shape]

    def gathered(self, parts, shape):
        return parts[0].reshape(shape)

    def scattered(self, tensor):
        return [tensor.reshape(self.shape)]


@dataclass(frozen=True)
class Padded:
    """Theirs has this number of rows; ours may have more, which stand for no token: zeros."""

    rows: int

    def wanted(self, shape):
        return [(self.rows, *shape[1:])]

    def gathered(self, parts, shape):
        (table,) = parts
        return table if len(table) == shape[0] else torch.cat([table, table.new_zeros(shape[0] - len(table), *shape[1:])])

    def scattered(self, tensor):
        return [tensor[: self.rows]]


@dataclass(frozen=True)
class Row:
    """One parameter: our name, theirs (several where they are joined), and how theirs becomes ours."""

    ours: str
    theirs: str | tuple[str, ...]
    how: Same | Transposed | Joined | Reshaped | Padded = Same()  # noqa: RUF009 - frozen

    def names(self) -> tuple[str, ...]:
        """Theirs, as a tuple."""
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs


@dataclass(frozen=True)
class Tie:
    """A second name of theirs for the tensor `of`, also a name of theirs.

    It is not written. A file may have both, if they are equal, or either.
    """

    theirs: str
    of: str


@dataclass(frozen=True)
class Layout:
    """What a network's parameters are called elsewhere.

    absent: tensors of theirs, by name and shape, for which ours has none; that is the same network only where they are zero.
    ignorable: names of theirs that hold no weights, such as masks, which may be in a file.
    base: how names begin in a whole model; in a file of its trunk alone, all of them may lack it.
    """

    rows: tuple[Row, ...]
    ties: tuple[Tie, ...] = ()
    absent: Mapping[str, tuple[int, ...]] | None = None
    ignorable: frozenset[str] = frozenset()
    base: str = ""


def to_ours(layout: Layout, tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The tensors by our names and in our shapes, {name: shape}, which are those of the network; the precision is kept.

    Raises DataError unless every tensor is used or ignorable, every parameter is filled, shapes and ties are right, and all
    numbers are floating-point and finite.
    """
    tensors = _tied(layout, _with_base(layout, tensors))
    absent = layout.absent or {}
    known = {name for row in layout.rows for name in row.names()} | absent.keys()
    if lost := sorted(known - tensors.keys()):
        raise DataError(f"the weights lack {lost[0]}, {_and_more(lost)}which this architecture needs: they are of another model")
    if surplus := sorted(tensors.keys() - known - layout.ignorable):
        shape = list(tensors[surplus[0]].shape)
        raise DataError(f"the weights have {surplus[0]} {shape}, {_and_more(surplus)}for which this architecture has no place")
    ours = {}
    for row in layout.rows:
        if row.ours not in shapes:
            raise DataError(f"the network has no parameter {row.ours}, which its layout names: please report it")
        shape, parts = tuple(shapes[row.ours]), [tensors[name] for name in row.names()]
        for name, part, wanted in zip(row.names(), parts, row.how.wanted(shape), strict=True):
            _require(name, part, wanted)
        made = row.how.gathered(parts, shape)
        if made.shape != shape:  # theirs are as the layout wants them, and the configuration has other sizes
            raise DataError(f"{row.names()[0]} gives {row.ours} the shape {list(made.shape)}; the network wants {list(shape)}")
        ours[row.ours] = made
    for name, shape in absent.items():
        _require(name, tensors[name], shape)
        if tensors[name].any():
            raise DataError(f"{name} is not zero; a network without it would compute something else")
    if unfilled := sorted(shapes.keys() - ours.keys()):
        raise DataError(f"nothing fills {unfilled[0]} {list(shapes[unfilled[0]])} of the network: please report it")
    return ours


def to_theirs(layout: Layout, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters by their names, in the rows' order, ties left out. They are views where nothing has to move.

    Raises DataError if a parameter has no row, or a row no parameter.
    """
    named = {row.ours for row in layout.rows}
    if lost := sorted(state.keys() - named):
        raise DataError(f"{lost[0]} {list(state[lost[0]].shape)} has no place in the published layout")
    if missing := sorted(named - state.keys()):
        raise DataError(f"the weights lack {missing[0]}, which the published layout has a place for")
    theirs = {}
    for row in layout.rows:
        theirs |= zip(row.names(), row.how.scattered(state[row.ours]), strict=True)
    like = next(iter(state.values()))
    return theirs | {name: like.new_zeros(shape) for name, shape in (layout.absent or {}).items()}


def _with_base(layout, tensors):
    """The tensors under whole names."""
    if not layout.base or any(name.startswith(layout.base) for name in tensors):
        return dict(tensors)
    whole = {name for tie in layout.ties for name in (tie.theirs, tie.of)} | {name for row in layout.rows for name in row.names()}
    return {name if name in whole else layout.base + name: tensor for name, tensor in tensors.items()}


def _tied(layout, tensors):
    """The tensors without second names."""
    for tie in layout.ties:
        if tie.theirs in tensors:
            copy = tensors.pop(tie.theirs)
            first = tensors.setdefault(tie.of, copy)
            if first.shape != copy.shape or not torch.equal(first, copy):
                which = f"{tie.theirs} {list(copy.shape)} and {tie.of} {list(first.shape)}"
                raise DataError(f"{which} differ; the configuration ties them (tie_word_embeddings), so they must be equal")
    return tensors


def _require(name, tensor, shape):
    if tuple(tensor.shape) != tuple(shape):
        raise DataError(f"{name} has shape {list(tensor.shape)}; the configuration wants {list(shape)}: they are of two models")
    if not tensor.is_floating_point() or tensor.element_size() < 2:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise DataError(f"{name} has numbers of type {kind}, as of quantized weights; it must be float64, 32, 16 or bfloat16")
    # the extremes need no second tensor, and are NaN where any number is
    if tensor.numel() and not all(math.isfinite(bound.item()) for bound in torch.aminmax(tensor)):
        wrong = int((~tensor.isfinite()).sum())
        raise DataError(f"{name} has {wrong} of {tensor.numel()} numbers that are not finite: the weights are damaged")


def _and_more(names):
    return f"and {len(names) - 1} others, " if len(names) > 1 else ""
