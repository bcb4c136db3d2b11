"""The contracts as tests: one id a spec row and wing, in float64 and in float32."""

from functools import cache

import pytest

from shared_specs.check import Checker, spec_of
from shared_specs.reference import wing
from shared_specs.syllabus import load


def _rows():
    for topic in load().built:
        for row in spec_of(topic.path):
            subject = getattr(row, "function", None) or getattr(row, "network", None) or "law"
            for backend in ("torch", "jax"):
                name = f"{topic.path}-{type(row).__name__}-{subject}-{row.case}-{backend}"
                yield pytest.param(topic.path, row, backend, id=name, marks=pytest.mark.xdist_group(topic.path))


@cache
def _checker(topic, backend, precision):
    return Checker(topic, wing(backend, topic, precision))


@pytest.mark.parametrize(("topic", "row", "backend"), list(_rows()))
def test_row(topic, row, backend):
    """Every comparison of the row passes on this wing."""
    results = [r for precision in ("float64", "float32") for r in _checker(topic, backend, precision).run([row])]
    failed = [f"{r.precision} {r.quantity}: {r.message or r.ratio}" for r in results if not r.passed]
    assert failed == []


def test_rows_have_names_of_their_own():
    """Two rows of one name would draw the same numbers, and one id would hide the other."""
    for topic in load().built:
        names = [(type(row).__name__, getattr(row, "function", None), row.case) for row in spec_of(topic.path)]
        assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
