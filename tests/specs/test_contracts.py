"""The contracts as tests: all rows of a topic in a wing are one test, in float64 and in float32."""

import json
from functools import lru_cache

import numpy as np
import pytest
import torch

from shared_specs.backends import backend
from shared_specs.checking.arguments import leaves, mapped, whole
from shared_specs.checking.check import Checker, rows_to_compile, spec_of
from shared_specs.checking.reference import wing, wing_function
from shared_specs.checking.shapes import mismatch, parse
from shared_specs.commands.export import export
from shared_specs.rows import Agree, Anchor, Rejects
from shared_specs.syllabus import load
from tests.support.commands.documentation import code_of_the_documentation

TOPICS = [pytest.param(topic.path, marks=pytest.mark.xdist_group(topic.path)) for topic in load().built]
WINGS = [pytest.param(*topic.values, backend, marks=topic.marks) for topic in TOPICS for backend in ("torch", "jax")]


@lru_cache(4)  # both wings and precisions of the topic at hand
def _checker(topic, backend, precision, compiled, by_xla=True):
    rows = rows_to_compile(topic, everything=compiled) if by_xla else ()
    return Checker(topic, wing(backend, topic, precision), widths=True, compiled=rows)


@pytest.mark.parametrize(("topic", "backend"), WINGS)
def test_rows(topic, backend, compiled, in_full):
    """Every comparison of the rows passes on this wing; a failure names function, row, precision and quantity.

    Every day the practice wing is held in both precisions and the theory wing in float64; the theory wing in float32, and what
    XLA compiles, on the topic's day of the week (tests/support/topics.py).
    """
    rows, precisions = spec_of(topic), ("float64", "float32") if backend == "torch" or in_full else ("float64",)
    results = [r for precision in precisions for r in _checker(topic, backend, precision, compiled, in_full).run(rows)]
    ran = {(r.word, r.function, r.case) for r in results}
    asked = {(type(row).__name__, row.function, row.case) for row in rows if isinstance(row, Agree | Anchor | Rejects)}
    assert asked - ran == set()
    failed = [r for r in results if not r.passed]
    said = [f"{r.word} {r.function}, {r.case}: {r.precision} {r.quantity}: {r.message or r.ratio}" for r in failed]
    assert not failed, "\n".join(said)


@pytest.mark.parametrize(("topic", "backend"), WINGS)
def test_docstrings_end_with_the_shapes_that_are_passed_and_given(topic, backend, compiled, in_full):
    """The last line of every function's docstring, held against the arrays of its first row."""
    rows = {row.function: row for row in reversed(spec_of(topic)) if isinstance(row, Agree)}
    checker = _checker(topic, backend, "float64", compiled, in_full)
    found = {name: _contradiction(topic, row, checker) for name, row in rows.items()}
    assert {name: why for name, why in found.items() if why} == {}


@pytest.mark.parametrize("topic", TOPICS)
def test_exported_cases_are_read_and_compared_by_the_code_in_the_documentation(topic, tmp_path):
    """Every row arrives with its arguments unless one contains a function, and the practice wing holds in every case.

    What the rows ask for is measured already, for test_rows.
    """
    export([topic], tmp_path / "out")
    documented = code_of_the_documentation()
    cases, arrays = documented["read"](tmp_path / "out", topic)
    rows = [row for row in spec_of(topic) if isinstance(row, Agree | Anchor)]
    given = [row.given.draw(f"{topic}/{row.function}/{row.case}") for row in rows]
    there = [not any(callable(leaf) for _, leaf in leaves(arguments)) for arguments in given]
    exported = [row for row, can in zip(rows, there, strict=True) if can]
    names = [(type(row).__name__.lower(), row.function, row.case) for row in exported]
    assert [(case["kind"], case["function"], case["case"]) for case in cases] == names
    left_out = json.loads((tmp_path / "out" / f"{topic}.json").read_text())["left_out"]
    assert len(left_out) == there.count(False)
    for case, arguments in zip(cases, (a for a, can in zip(given, there, strict=True) if can), strict=True):
        arrived = {name: documented["built"](argument, arrays) for name, argument in case["arguments"].items()}
        sent = {name: whole(value) for name, value in arguments.items()}
        np.testing.assert_equal(arrived, sent)
        assert _forms(arrived) == _forms(sent)
    practice = {row.function: _on_arrays(wing_function("torch", topic, row.function)) for row in exported}
    assert [case for *case, holds in documented["compare"](practice, cases, arrays) if not holds] == []


def _forms(arguments):
    return [(leaf.dtype, leaf.shape) if hasattr(leaf, "dtype") else type(leaf) for _, leaf in leaves(arguments)]


def _on_arrays(function):
    """A function of the practice wing as one of NumPy arrays."""

    def call(**arguments):
        native = mapped(arguments, lambda _, leaf: torch.tensor(leaf) if isinstance(leaf, np.ndarray) else leaf)
        with backend("torch").working_precision("float64"):
            found = function(**native)
        return mapped(found, lambda _, leaf: leaf.resolve_conj().numpy() if isinstance(leaf, torch.Tensor) else leaf)

    return call


def _contradiction(topic, row, checker):
    """A contradiction between a docstring and a row of its function; "" if there is none."""
    arguments = row.given.draw(f"{topic}/{row.function}/{row.case}")
    arrays = [a for a in arguments.values() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(a))]
    passed = [getattr(a, "shape", None) for a in arrays]
    reference, backend = checker.reference, checker.trial.implementation.backend.name
    given = [shape for shape, _ in (reference if row.traced else reference.eager).result_shapes(row.function, arguments)]
    said = parse(wing_function(backend, topic, row.function).__doc__)
    if None in said.results:  # a tuple of arrays counts as that many results
        at = said.results.index(None)
        given[at : at + 1 + len(given) - len(said.results)] = [None]
    return mismatch(said, passed, given)


@pytest.mark.rule
def test_every_function_is_judged_in_the_core():
    """The rows marked `edge` excuse other people's code: they are few, and no function is left to them."""
    for topic in load().built:
        rows = [row for row in spec_of(topic.path) if isinstance(row, Agree | Anchor)]
        core = {row.function for row in rows if not row.edge}
        assert core == {row.function for row in rows}, topic.path
        assert sum(bool(row.edge) for row in rows) <= len(rows) / 4, topic.path


@pytest.mark.rule
def test_rows_have_names_of_their_own():
    """Two rows of one name would draw the same numbers, and one id would hide the other."""
    for topic in load().built:
        names = [(type(row).__name__, getattr(row, "function", None), row.case) for row in spec_of(topic.path)]
        assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]


@pytest.mark.xdist_group("guard")
def test_the_tests_of_a_topic_keep_to_one_process(request):
    """Otherwise every process silently compiles every topic: pytest-xdist 3.8 forgets its groups under pytest 9.2."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("only where pytest-xdist runs the suite in groups (make test)")
    assert request.node.nodeid.endswith("@guard")
