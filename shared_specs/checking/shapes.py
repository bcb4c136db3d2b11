"""The last line of a public function's docstring, `[B, D], [D] -> [B], []`: parsed, and compared with arrays.

A complex array is `complex [B]`; as a result it is seen as two arrays, its real and its imaginary part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ITEM = re.compile(r"\(\[\.\.\.\]\)|\{\[\.\.\.\]\}|(?:complex )?\[[^\[\]]*\]")
_TERM = re.compile(r"^(?:\d+|[A-Za-z]\w*'?)$")


@dataclass(frozen=True)
class Shapes:
    """The arguments' and the results' shapes, each a tuple of dimensions, or None for a tuple or dictionary of arrays."""

    arguments: tuple[tuple[str, ...] | None, ...]
    results: tuple[tuple[str, ...] | None, ...]


def parse(docstring: str | None) -> Shapes:
    """The shapes that a docstring ends with.  Raises ValueError if its last line is not `... -> ...`."""
    lines = (docstring or "").strip().splitlines()
    last = lines[-1].strip() if lines else ""
    if "->" not in last:
        raise ValueError(f"the docstring ends with {last!r}; its last line must be shapes such as [B, D], [D] -> [B]")
    left, right = last.split("->", 1)
    results = [item for item in _items(right, last) for _ in range(1 + item.startswith("complex"))]
    return Shapes(*(tuple(_dimensions(item, last) for item in side) for side in (_items(left, last), results)))


def _items(text, line):
    text = text.strip()
    found = _ITEM.findall(text)
    if re.sub(r"\s", "", ",".join(found)) != re.sub(r"\s", "", text):
        forms = "[B, D], [], ([...]) for a tuple of arrays, {[...]} for a dictionary"
        raise ValueError(f"cannot read {text!r} in the shapes {line!r}; write {forms}")
    return found


def _dimensions(item, line):
    if item[0] in "({":
        return None
    dimensions = tuple(part.strip() for part in item.removeprefix("complex ")[1:-1].split(",") if part.strip())
    for dimension in dimensions:
        if dimension != "..." and not all(_TERM.match(term) for term in re.split(r"[+\-*/]", dimension)):
            raise ValueError(f"cannot read the dimension {dimension!r} in the shapes {line!r}")
    return dimensions


def mismatch(
    shapes: Shapes, argument_shapes: Sequence[tuple[int, ...] | None], result_shapes: Sequence[tuple[int, ...] | None]
) -> str:
    """Why the given shapes (None for a tuple of arrays) contradict the docstring's; an empty string if they do not."""
    sizes = {}
    for title, said, seen in (("argument", shapes.arguments, argument_shapes), ("result", shapes.results, result_shapes)):
        if len(said) != len(seen):
            return f"the docstring gives {len(said)} {title} shapes, the call has {len(seen)}"
        for position, (dimensions, shape) in enumerate(zip(said, seen, strict=True)):
            if not _matches(dimensions, shape, sizes):
                wanted = "a tuple of arrays" if dimensions is None else f"[{', '.join(dimensions)}]"
                found = "is a tuple of arrays" if shape is None else f"has shape {list(shape)}"
                return f"{title} {position} {found}; by the docstring it must be {wanted}"
    return ""


def _matches(dimensions, shape, sizes):
    if dimensions is None or shape is None:
        return dimensions is None and shape is None
    if "..." in dimensions:
        at = dimensions.index("...")
        tail = len(dimensions) - at - 1
        further = tuple(shape[at : len(shape) - tail])
        if len(shape) < at + tail or sizes.setdefault("...", further) != further:
            return False
        dimensions = dimensions[:at] + dimensions[at + 1 :]
        shape = tuple(shape[:at]) + tuple(shape[len(shape) - tail :])
    if len(dimensions) != len(shape):
        return False
    return all(_size_matches(dimension, size, sizes) for dimension, size in zip(dimensions, shape, strict=True))


def _size_matches(dimension, size, sizes):
    """A lone letter is bound at its first sight; a sum is checked once all its letters are known."""
    terms = re.split(r"([+\-*/])", dimension)
    if len(terms) == 1 and not dimension.isdigit():
        return sizes.setdefault(dimension, size) == size
    if any(not term.isdigit() and term not in sizes for term in terms[::2]):
        return True
    value = _value(terms[0], sizes)
    for operator, term in zip(terms[1::2], terms[2::2], strict=True):
        other = _value(term, sizes)
        value = {"+": value + other, "-": value - other, "*": value * other, "/": value // other if other else -1}[operator]
    return value == size


def _value(term, sizes):
    return int(term) if term.isdigit() else sizes[term]
