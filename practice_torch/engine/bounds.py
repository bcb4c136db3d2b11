"""Bounds of a dataclass's fields, stated in their annotations: `width: Annotated[int, AtLeast(1)] = 64`.

Defaults are checked when the class is defined, values when an instance is made, and `--help` shows the bound next to the default.
Each entry of a tuple must be within the bound; None always is; NaN and infinity never are.

annotated-types with pydantic's dataclasses (2.14) and tyro shows no bound in `--help`, accepts infinity above 0, takes a bound
of a tuple for one of the tuple itself, and checks no default unless it is configured to.
"""

import functools
import inspect
from dataclasses import dataclass
from math import inf
from typing import Any, get_type_hints

import tyro


@dataclass(frozen=True)
class Interval:
    least: float = -inf
    above: float = -inf
    most: float = inf
    below: float = inf

    def __str__(self):
        if self == Interval():
            return "a finite number"
        if self.least == self.most:
            return str(self.least)
        low = f"at least {self.least}" if self.above == -inf else f"more than {self.above}" if self.above else "positive"
        high = f"at most {self.most}" if self.most < inf else f"less than {self.below}"
        return low if self.most == self.below == inf else f"{low} and {high}"

    def __call__(self, default: object) -> str:  # as tyro ends the help of a field
        return f"(default: {default}; {self})"

    def require(self, name: str, value: Any) -> None:
        for number in value if isinstance(value, tuple) else () if value is None else (value,):
            if not (self.least <= number <= self.most and self.above < number < self.below):
                unbounded = self.most == self.below == inf and self != Interval()
                finite = " and finite" if unbounded and isinstance(number, float) else ""
                raise ValueError(f"{name} is {value}; {'it' if number is value else 'each entry'} must be {self}{finite}")


def AtLeast(least: float, *, at_most: float = inf, below: float = inf) -> Any:
    return tyro.conf.arg(help_behavior_hint=Interval(least=least, most=at_most, below=below))


def Above(above: float, *, at_most: float = inf, below: float = inf) -> Any:
    return tyro.conf.arg(help_behavior_hint=Interval(above=above, most=at_most, below=below))


def Finite() -> Any:
    return tyro.conf.arg(help_behavior_hint=Interval())


class Bounded:
    """Base of a dataclass of options, which refuses defaults and values outside the bounds of its fields."""

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        for name, interval in intervals(cls):
            if hasattr(cls, name):
                interval.require(f"the default of {cls.__name__}.{name}", getattr(cls, name))

    def __post_init__(self):
        for name, interval in intervals(type(self)):
            interval.require(name, getattr(self, name))

    def _require(self, name, holds, allowed):
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)}; it must be {allowed}")


@functools.cache
def intervals(kind: type) -> list[tuple[str, Interval]]:
    """(field, interval) of a class and of its bases: a field that is declared again keeps its earlier bounds."""
    found = []
    for source in kind.__mro__:
        hints = get_type_hints(source, include_extras=True)
        for name in inspect.get_annotations(source):
            marks = [getattr(mark, "help_behavior_hint", None) for mark in getattr(hints[name], "__metadata__", ())]
            found += [(name, mark) for mark in marks if isinstance(mark, Interval)]
    return found
