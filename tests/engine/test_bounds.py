"""Bounds in annotations: values and defaults are held to them at their edges, and `--help` shows them."""

import dataclasses
from dataclasses import dataclass
from math import inf, nan, nextafter
from typing import Annotated

import pytest

from practice_torch.commands.options import changed
from practice_torch.engine.bounds import Above, AtLeast, Bounded, Finite
from practice_torch.engine.recipe import Recipe


@dataclass(frozen=True)
class Options(Bounded):
    """Options of every kind."""

    count: Annotated[int, AtLeast(2)] = 2
    order: Annotated[int, AtLeast(1, at_most=7)] = 7
    once: Annotated[int, AtLeast(1, at_most=1)] = 1
    scale: Annotated[float, AtLeast(0)] = 1.0
    rate: Annotated[float, Above(0)] = 1.0
    start: Annotated[float, Above(3)] = 4.0
    decay: Annotated[float, AtLeast(0, below=1)] = 0.5
    mass: Annotated[float, Above(0, at_most=1)] = 0.5
    share: Annotated[float, Above(0, below=1)] = 0.5
    chance: Annotated[float, AtLeast(0, at_most=1)] = 0.5
    widths: Annotated[tuple[int, ...], AtLeast(1)] = (8, 4)
    label: Annotated[int | None, AtLeast(0)] = None
    shift: Annotated[float, Finite()] = 0.0


SMALLEST, BELOW_1, ABOVE_1, ABOVE_3 = nextafter(0, 1), nextafter(1, 0), nextafter(1, 2), nextafter(3, 4)
# field -> (its bound in words, what it takes at the edges, what it refuses there)
EDGES = {
    "count": ("at least 2", (2, 2**62), (1, -2)),
    "order": ("at least 1 and at most 7", (1, 7), (0, 8)),
    "once": ("1", (1,), (0, 2)),
    "scale": ("at least 0", (0, 0.0, 1e300), (-SMALLEST, nan, inf, -inf)),
    "rate": ("positive", (SMALLEST, 1e300), (0.0, 0, -1.0, nan, inf)),
    "start": ("more than 3", (ABOVE_3,), (3.0, nan, inf)),
    "decay": ("at least 0 and less than 1", (0.0, BELOW_1), (-SMALLEST, 1.0, nan, inf)),
    "mass": ("positive and at most 1", (SMALLEST, 1.0), (0.0, ABOVE_1, nan, inf)),
    "share": ("positive and less than 1", (SMALLEST, BELOW_1), (0.0, 1.0, nan, inf)),
    "chance": ("at least 0 and at most 1", (0.0, 1.0), (-SMALLEST, ABOVE_1, nan, -inf)),
    "widths": ("at least 1", ((), (1,), (1, 9)), ((0,), (9, 0), (-1, 9))),
    "label": ("at least 0", (None, 0), (-1,)),
    "shift": ("a finite number", (-1e300, 0, 1e300), (nan, inf, -inf)),
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Options)])
def test_a_bound_accepts_and_refuses_at_its_edges(name):
    words, taken, refused = EDGES[name]
    for value in taken:
        assert getattr(Options(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(ValueError) as error:
            Options(**{name: value})
        subject = "each entry" if isinstance(value, tuple) else "it"
        finite = " and finite" if name in ("scale", "rate", "start") and isinstance(value, float) else ""
        assert str(error.value) == f"{name} is {value}; {subject} must be {words}{finite}"


def test_a_default_out_of_bounds_is_refused_when_the_class_is_defined():
    with pytest.raises(ValueError, match="^the default of Wrong.width is 0; it must be at least 1$"):
        type("Wrong", (Bounded,), {"__annotations__": {"width": Annotated[int, AtLeast(1)]}, "width": 0})
    with pytest.raises(ValueError, match="^the default of Longer.count is 2; it must be at least 3$"):  # inherited
        type("Longer", (Options,), {"__annotations__": {"count": Annotated[int, AtLeast(3)]}})


def test_a_field_that_is_declared_again_keeps_its_bounds():
    @dataclass(frozen=True)
    class Counting(Recipe):
        batch_size: int = 2**40

    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        Counting(batch_size=0)


def test_help_shows_every_bound(capsys):
    with pytest.raises(SystemExit) as stop:
        changed(Options(scale=3.5), ["--help"], "a toy", "sample")
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, (words, _, _) in EDGES.items():
        default = {"scale": "3.5", "widths": "8 4"}.get(name, str(getattr(Options, name)))
        assert f"(default: {default}; {words})" in said, name
