"""Every refusal that a row requires is announced: a docstring's Raises names the argument, or its last line gives the shape.

Who writes the function from its docstring alone, as an exercise asks, must be able to know what is to be refused.
"""

import inspect
import re
from importlib import import_module

import numpy as np
import pytest

from shared_specs.check import spec_of
from shared_specs.implementation import leaves
from shared_specs.reference import WINGS
from shared_specs.rows import Rejects, given, zeros
from shared_specs.shapes import parse
from shared_specs.syllabus import load


def unannounced(module, row):
    """Whether nothing in the function's docstring says that this row's input is refused."""
    function = getattr(module, row.function)
    docstring = inspect.getdoc(function)
    said = _raises(module, docstring)
    blamed = row.argument
    if blamed not in inspect.signature(function).parameters and not _names(blamed, said):
        return not (_names("parameters", said) or _names("parameter", said))  # an entry of a dictionary of them
    if _names(blamed, said) or (blamed.endswith("s") and _names(blamed[:-1], said)):  # labels: "a label"
        return False
    arguments = row.given.draw("")
    arrays = {name: a for name, a in arguments.items() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(a))}
    shapes = parse(docstring).arguments
    if _contradicts(shapes, [a.shape if isinstance(a, np.ndarray) else None for a in arrays.values()]):
        return False
    dimensions = dict(zip(arrays, shapes, strict=True)).get(blamed) or ()
    return not any(d.isalpha() and len(d) <= 2 and _names(d, said) for d in dimensions)  # S = 0, B < 2


def _raises(module, docstring):
    """What follows `Raises ValueError`, and what the functions raise that it refers to (`as f does`)."""
    found = re.search(r"Raises ValueError(.*?)(?:Source:|\n[^\n]*->|\Z)", docstring, re.S)
    said = " ".join(found[1].split()) if found else ""
    others = (getattr(module, name, None) for name in re.findall(r"\bas (\w+) does", said))
    return " ".join([said, *(_raises(module, inspect.getdoc(other)) for other in others if other)])


def _names(word, text):
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)


def _contradicts(said, shapes):
    """Whether the shapes cannot be those of the docstring: `...` stands for equal axes in arguments written alike."""
    if len(said) != len(shapes):
        return True
    sizes, further = {}, {}
    for dimensions, shape in zip(said, shapes, strict=True):
        if dimensions is None or shape is None:
            if dimensions is not shape:
                return True
            continue
        if "..." in dimensions:
            at, tail = dimensions.index("..."), len(dimensions) - dimensions.index("...") - 1
            middle = shape[at : len(shape) - tail]
            if len(shape) < at + tail or further.setdefault(dimensions[:at], middle) != middle:
                return True
            dimensions, shape = dimensions[:at] + dimensions[at + 1 :], shape[:at] + shape[len(shape) - tail :]
        if len(dimensions) != len(shape):
            return True
        for dimension, size in zip(dimensions, shape, strict=True):
            if dimension.isdigit() and int(dimension) != size:
                return True
            if re.fullmatch(r"[A-Za-z]\w*'?", dimension) and sizes.setdefault(dimension, size) != size:
                return True
    return False


@pytest.mark.parametrize("wing", WINGS.values())
@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_refusal_is_announced(topic, wing):
    """By the docstring of this wing."""
    module = import_module(f"{wing}.{topic.replace('/', '.')}")
    rows = [row for row in spec_of(topic) if isinstance(row, Rejects)]
    assert [f"{row.function} ({row.case}): {row.blames}" for row in rows if unannounced(module, row)] == []


class Toy:
    """A module of one function."""

    @staticmethod
    def scaled(x, weights, *, factor):
        """factor x w.

        Raises ValueError if a weight is negative or B = 0.
        [B, D], [B] -> [B, D]
        """


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Rejects("scaled", "negative", given(x=zeros(2, 3), weights=zeros(2), factor=1.0), "weights"), True),
        (Rejects("scaled", "none", given(x=zeros(0, 3), weights=zeros(0), factor=1.0), "x"), True),
        (Rejects("scaled", "too few", given(x=zeros(2, 3), weights=zeros(1), factor=1.0), "x"), True),
        (Rejects("scaled", "three axes", given(x=zeros(2, 3, 1), weights=zeros(2), factor=1.0), "x"), True),
        (Rejects("scaled", "no factor", given(x=zeros(2, 3), weights=zeros(2), factor=0.0), "factor"), False),
    ],
)
def test_a_refusal_that_no_one_announced_is_seen(row, said):
    """A named argument, a named size, a contradicted shape; and a value that nothing speaks of."""
    assert unannounced(Toy, row) != said
