"""A row in numbers, and a reference whose numbers were computed before: it judges NumPy code where JAX is not installed.

Arguments are drawn from the row, as always. What a reference must compute is read: the values of an Agree row and of its small
batches, and the tolerances of every row, all of them derived as they are where JAX is installed. Gradients are not recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from shared_specs.checking.arguments import Key, leaves
from shared_specs.rows import Row


class NotRecorded(Exception):
    """What was recorded is of other contracts than those that are to be judged by it."""


class Slope(NamedTuple):
    """The central differences of <cotangent, reference> along a direction, at STEP and 2 STEP."""

    direction: dict[Key, np.ndarray]
    differences: tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """One Agree row in numbers. keys name the differentiated arrays; gradients are of sum <cotangent, result>."""

    arguments: dict[str, Any]
    wanted: tuple[np.ndarray, ...]
    limits: list[np.ndarray]
    keys: tuple[Key, ...] = ()
    cotangents: list[np.ndarray] = field(default_factory=list)
    gradients: tuple[np.ndarray, ...] = ()
    gradient_limits: list[np.ndarray] = field(default_factory=list)
    slopes: tuple[Slope, ...] = ()


VALUES, INPUT = "values", "input"  # of a record: the values of an Agree row, and the fingerprint of a row's arguments

Recording = Mapping[tuple[str, str], Any]  # by the row's place and what it is: arrays or a number


class Recorded:
    """The reference of a topic, read from what was recorded of it. docstring(name): that of the theory wing's function."""

    def __init__(self, topic: str, recording: Recording, docstring: Callable[[str], str]) -> None:
        self.topic, self.docstring, self._recording = topic, docstring, recording

    @property
    def eager(self) -> "Recorded":
        """The same: nothing runs."""
        return self

    def answer(self, trial: Any, row: Row, what: str) -> Any:
        """What shared_specs.checking.measuring.once would compute.  Raises NotRecorded."""
        place = place_of(row)
        self._require_same_input(trial, row, place)
        if what == "sides":
            return (np.zeros(1),)
        if what == "own answer":
            return self._read(place, trial.precision)  # of the answer's shapes, for which alone it is asked
        if what.startswith("measured"):
            wanted, given = tuple(self._read(place, VALUES)), trial.arguments(row)
            return {p: Measured(given, wanted, self._read(place, p)) for p in ("float64", "float32")}
        if what.startswith(row.case):  # a small batch
            return Measured({}, tuple(self._read(place, f"{what}, {VALUES}")), self._read(place, what))
        return self._read(place, what)

    def _read(self, place, what):
        try:
            return self._recording[place, what]
        except KeyError:
            raise NotRecorded(f"{self.topic}: no answers are recorded for {place}: {REMEDY}") from None

    def _require_same_input(self, trial, row, place):
        """Another NumPy could draw other numbers, for which the answers are not meant."""
        here, recorded = fingerprint(trial, row), self._read(place, INPUT)
        if not (here == recorded or abs(here - recorded) <= 1e-9 * abs(recorded)):
            found = f"{place} has other arguments than the recorded ones ({here!r}, not {recorded!r})"
            raise NotRecorded(f"{self.topic}: {found}: {REMEDY}")


REMEDY = "reinstall Diptych, or install the extra jax and judge without --recorded; in a clone, `make record` records them"


def place_of(row: Row) -> str:
    """A row of a topic, in words that no other one of the topic has."""
    return f"{type(row).__name__} {getattr(row, 'function', 'law')} ({row.case})"


def fingerprint(trial: Any, row: Row) -> float:
    """A number that tells a row's arguments from others, and that their last bits do not change."""
    subject = getattr(row, "function", "law")
    drawn = row.given.draw(f"{trial.topic}/{subject}/{row.case}")
    arrays = [np.ravel(leaf) for _, leaf in leaves(drawn) if isinstance(leaf, np.ndarray)]
    sizes = (np.where(np.isfinite(array), np.abs(array), 7.0) * (1.0 + np.arange(array.size) % 3) for array in arrays)
    return float(sum(np.sum(size) for size in sizes) + sum(array.size for array in arrays))
