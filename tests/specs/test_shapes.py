"""The notation at the end of docstrings: what it reads, what it refuses, and what it notices in real arrays."""

import pytest

from shared_specs.checking.shapes import Shapes, mismatch, parse

SHAPES = parse("Formula.\n\n[B, D], [D], [] -> [B], [B, D+1]")


def test_it_reads_dimensions_scalars_sums_tuples_and_dictionaries():
    """In argument order; results after the arrow."""
    assert SHAPES.arguments == (("B", "D"), ("D",), ())
    assert SHAPES.results == (("B",), ("B", "D+1"))
    assert parse("([...]), {[...]}, [B, ..., 3] -> [T-1]").arguments == (None, None, ("B", "...", "3"))
    assert parse("-> []").arguments == ()
    assert parse("complex [B], [D] -> complex [B], []") == Shapes((("B",), ("D",)), (("B",), ("B",), ()))


@pytest.mark.parametrize("text", ["", None, "no arrow", "[B D] -> [B]", "B, D -> [B]", "[B, D] x4 -> [B]", "[B] -> [B] nats"])
def test_it_refuses_anything_else(text):
    """There is no second notation."""
    with pytest.raises(ValueError):
        parse(text)


def test_mismatched_shapes_are_detected():
    """A letter is one size throughout; counts, ranks and sums must fit too."""
    good = [(5, 3), (3,), ()], [(5,), (5, 4)]
    assert mismatch(SHAPES, *good) == ""
    assert "argument 1" in mismatch(SHAPES, [(5, 3), (4,), ()], good[1])
    assert "result 1" in mismatch(SHAPES, good[0], [(5,), (5, 5)])
    assert "argument shapes" in mismatch(SHAPES, good[0][:2], good[1])
    assert "result 0" in mismatch(SHAPES, good[0], [(5, 1), (5, 4)])
    assert "tuple" in mismatch(parse("([...]) -> []"), [(2,)], [()])


def test_dots_match_any_further_axes():
    """Also for none; for the same ones throughout a line."""
    shapes = parse("[B, ..., D] -> [B]")
    assert mismatch(shapes, [(2, 7, 7, 3)], [(2,)]) == mismatch(shapes, [(2, 3)], [(2,)]) == ""
    assert mismatch(shapes, [(2,)], [(2,)]) != ""
    together = parse("[M, B, ...], [B, ...] -> [...]")
    assert mismatch(together, [(4, 2, 7, 3), (2, 7, 3)], [(7, 3)]) == ""
    assert "argument 1" in mismatch(together, [(4, 2, 7, 3), (2, 7, 1)], [(7, 3)])
    assert "result 0" in mismatch(together, [(4, 2, 7, 3), (2, 7, 3)], [(3,)])
