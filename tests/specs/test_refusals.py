"""Every refusal that a row requires is announced: a docstring's Raises names the argument, or its last line gives the shape.

An implementer who has only the docstring, as in an exercise, must know which inputs to reject. Conversely,
both wings reject every array with a shape that contradicts the docstring's last line.
"""

import inspect
import re
from functools import partial
from importlib import import_module

import jax
import numpy as np
import pytest

from shared_specs.checking.arguments import leaves
from shared_specs.checking.check import spec_of
from shared_specs.checking.reference import WINGS, wing, wing_function
from shared_specs.checking.shapes import Shapes, mismatch, parse
from shared_specs.rows import Agree, Rejects, given, zeros
from shared_specs.syllabus import load


def unannounced(module, row):
    """Whether the function's docstring does not mention that this row's input is rejected."""
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
    if _contradicts(shapes, [getattr(a, "shape", None) for a in arrays.values()]):
        return False
    dimensions = dict(zip(arrays, shapes, strict=True)).get(blamed) or ()
    return not any(d.isalpha() and len(d) <= 2 and _names(d, said) for d in dimensions)  # S = 0, B < 2


def _raises(module, docstring):
    """The text after `Raises ValueError`, including that of functions it refers to (`as f does`)."""
    found = re.search(r"Raises ValueError(.*?)(?:Source:|\n[^\n]*->|\Z)", docstring, re.S)
    said = " ".join(found[1].split()) if found else ""
    others = (getattr(module, name, None) for name in re.findall(r"\bas (\w+) does", said))
    return " ".join([said, *(_raises(module, inspect.getdoc(other)) for other in others if other)])


def _names(word, text):
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)


def _contradicts(said, shapes):
    """Whether the shapes of arguments cannot be those of the docstring."""
    return bool(mismatch(Shapes(said, ()), shapes, ()))


@pytest.mark.parametrize("wing", WINGS.values())
@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_refusal_is_announced(topic, wing):
    """By the docstring of this wing."""
    module = import_module(f"{wing}.{topic.replace('/', '.')}")
    rows = [row for row in spec_of(topic) if isinstance(row, Rejects)]
    assert [f"{row.function} ({row.case}): {row.blames}" for row in rows if unannounced(module, row)] == []


def not_refused(function, arguments, call):
    """Arrays that contradict the docstring's shapes, and what came of them, unless it is a ValueError that names an argument."""
    arrays = {name: a for name, a in arguments.items() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(a))}
    said = parse(inspect.getdoc(function)).arguments
    for name, array in arrays.items():
        for other in _reshaped(array) if isinstance(array, np.ndarray) else ():
            shapes = [getattr(a, "shape", None) for a in (arrays | {name: other}).values()]
            if not _contradicts(said, shapes):
                continue
            try:
                call(arguments | {name: other})
            except ValueError as error:
                if any(_names(argument, str(error)) for argument in inspect.signature(function).parameters):
                    continue
                yield f"{name} of shape {other.shape}: {error}"
            except Exception as error:
                yield f"{name} of shape {other.shape}: {type(error).__name__}: {error}"
            else:
                yield f"{name} of shape {other.shape}: accepted"


def _reshaped(array):
    """One axis more, one fewer, an axis one longer, and an axis of one, which would broadcast."""
    yield np.stack([array, array])
    if array.ndim:
        yield np.asarray(array[0])
    for axis in range(array.ndim):
        yield np.append(array, np.take(array, [-1], axis), axis)
        yield np.take(array, [0], axis)


@pytest.fixture
def unfiltered():
    """JAX's errors with whole tracebacks: to shorten one takes 20 ms, and here are thousands."""
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    yield
    jax.config.update("jax_traceback_filtering", before)


@pytest.mark.usefixtures("unfiltered")
@pytest.mark.parametrize("backend_name", WINGS)
@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_array_that_contradicts_the_shapes_is_refused(topic, backend_name):
    """On the first row of every function, by an error that names an argument; nothing is compiled."""
    implementation, found = wing(backend_name, topic, "float64"), []
    first = {row.function: row for row in reversed(spec_of(topic)) if isinstance(row, Agree)}
    for name, row in first.items():
        call = partial((implementation if row.traced else implementation.eager).result_shapes, name)
        arguments = row.given.draw(f"{topic}/{name}/{row.case}")
        found += [f"{name}: {what}" for what in not_refused(wing_function(backend_name, topic, name), arguments, call)]
    assert found == []


def _scaled(check):
    def scaled(x, weights):
        """[B, D], [B] -> [B, D]"""
        check(x.shape, weights.shape)
        return x * weights[:, None]

    return scaled


def _checks(x, weights):
    if len(x) != 2 or weights != x[:1]:
        raise ValueError(f"x has shape {x}; it must have two axes, and weights, {weights}, an entry for each row")


def _names_nothing(x, weights):
    if len(x) != 2 or weights != x[:1]:
        raise ValueError("the shapes differ")


def _checks_the_first_alone(x, weights):
    if len(x) != 2:
        raise ValueError(f"x has shape {x}; it must have two axes")


@pytest.mark.parametrize(
    ("check", "seen"),
    [(_checks, set()), (_names_nothing, {"the"}), (_checks_the_first_alone, {"accepted", "IndexError", "operands"})],
)
def test_an_accepted_array_that_contradicts_the_shapes_is_detected(check, seen):
    """Accepted and broadcast, refused by accident, or by an error that names no argument."""
    function = _scaled(check)
    found = not_refused(function, {"x": np.zeros((3, 2)), "weights": np.zeros(3)}, lambda arguments: function(**arguments))
    assert {re.search(r": (\w+)", what)[1] for what in found} == seen


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
def test_an_undocumented_refusal_is_detected(row, said):
    """A named argument, a named size, a contradicted shape; and a value that nothing speaks of."""
    assert unannounced(Toy, row) != said
