"""The tolerance rule: derived from the reference's own sensitivity, never chosen.

tolerance = 16 x (largest change of the reference when every input moves to a neighboring float and the result of every
                  operation by about one unit roundoff, up or down at random, over 16 seeded draws)
          + 16 u |reference|

with u the unit roundoff of the precision under test, and the reference always in float64. For a gradient, the cotangents are
inputs too. The operands of sums and of products of matrices also move, because their partial sums are rounded. Moving the inputs
alone is not enough: large terms that come from one input and cancel move together, and nothing changes, while a program rounds
each term separately (stochastic arithmetic; Vignes 1993).

An implementation that rounds its inputs and each operation once or a few times stays inside, on every processor; a formula that
is wrong does not. shared_specs/backends/jaxpr.py evaluates the reference with these roundings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from shared_specs.backends.rounding import Rounding
from shared_specs.checking.arguments import Arguments, Key, arrays_in, with_arrays
from shared_specs.rows import Cancels

DRAWS = 16
FACTOR = 16.0
ROUNDING = 1.5  # unit roundoffs by which the result of an operation moves


def unit_roundoff(precision: str) -> float:
    """Half the distance from 1 to the next number."""
    return float(np.finfo(precision).eps) / 2


@dataclass(frozen=True)
class Points:
    """Arguments and cotangents at many points: arrays and cotangents have one more axis in front for them.

    arrays: by path, those of the arguments that differ. shares: by which share of itself the result of every operation moves at
    each of the points; nothing moves if there are none.
    """

    count: int
    arguments: Arguments
    arrays: dict[Key, np.ndarray]
    cotangents: list[np.ndarray] = field(default_factory=list)
    shares: tuple[float, ...] = ()
    frozen: Sequence[str] = ()

    @property
    def rounding(self) -> Rounding | None:
        """Rounding of the operations at these points, except operations on frozen arguments alone, where the result jumps."""
        return Rounding(self.shares, differing=bool(self.frozen)) if self.shares else None

    @property
    def stacked(self) -> Arguments:
        """The arguments with the axis for the points."""
        return with_arrays(self.arguments, self.arrays)

    def at(self, point: int) -> tuple[Arguments, list[np.ndarray]]:
        """The arguments and cotangents at one of the points."""
        there = {path: array[point, ...] for path, array in self.arrays.items()}
        return with_arrays(self.arguments, there), [cotangent[point, ...] for cotangent in self.cotangents]


def neighbors(arguments: Arguments, precision: str, frozen: Sequence[str] = (), cotangents: Sequence[np.ndarray] = ()) -> Points:
    """The 16 draws: every floating entry moves to one of its two neighbors in the precision, but for frozen arguments."""
    rng = np.random.default_rng(0)

    def nudged(array):
        return nudge(np.broadcast_to(array, (DRAWS, *array.shape)), precision, rng)

    drawn = [nudged(cotangent) for cotangent in cotangents]
    arrays = {path: nudged(array) for path, array in arrays_in(arguments) if path[0] not in frozen}
    return Points(DRAWS, arguments, arrays, drawn, (ROUNDING * unit_roundoff(precision),) * DRAWS, frozen)


def joined(*parts: Points) -> Points:
    """Points of the same arguments, one part behind the other; all of them have roundings and frozen arguments, or none."""
    first = parts[0]
    arrays = {path: np.concatenate([part.arrays[path] for part in parts]) for path in first.arrays}
    cotangents = [np.concatenate(each) for each in zip(*(part.cotangents for part in parts), strict=True)]
    shares = tuple(share for part in parts for share in part.shares)
    return Points(sum(part.count for part in parts), first.arguments, arrays, cotangents, shares, first.frozen)


def nudge(array: np.ndarray, precision: str, rng: np.random.Generator) -> np.ndarray:
    """Every finite, non-zero entry moved to one of its two neighbors in the precision; integers are exact and stay."""
    if not np.issubdtype(np.asarray(array).dtype, np.floating):
        return array
    direction = np.where(rng.uniform(size=np.shape(array)) < 0.5, -np.inf, np.inf).astype(precision)
    neighbor = np.nextafter(np.asarray(array).astype(precision), direction).astype(np.float64)
    return np.where(np.isfinite(array) & (np.asarray(array) != 0), neighbor, array)


def tolerances(
    found: Sequence[np.ndarray], reference: Sequence[np.ndarray], precision: str, cancels: Cancels | None = None
) -> list[np.ndarray]:
    """One array of tolerances for each array of the reference, by the rule above.

    found: the reference at the neighbors, [draws, ...] each. A neighbor where it leaves its domain (becomes infinite) is left
    out. Below its smallest normal number a precision has no relative accuracy, so that number is added too.
    """
    u = unit_roundoff(precision)
    extra = FACTOR * u * cancels.magnitude if cancels else 0.0
    smallest = FACTOR * float(np.finfo(precision).tiny)
    return [
        FACTOR * (_largest_change(moved, r) + u * _magnitude(r)) + extra + smallest
        for moved, r in zip(found, reference, strict=True)
    ]


def _largest_change(found, reference):
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.asarray(found, dtype=np.float64) - reference)
    return np.where(np.isfinite(difference), difference, 0.0).max(axis=0)


def _magnitude(array):
    return np.where(np.isfinite(array), np.abs(np.asarray(array, dtype=np.float64)), 0.0)


def ratio(got: np.ndarray, wanted: np.ndarray, tolerance: np.ndarray, precision: str) -> float:
    """The largest |got - wanted| / tolerance; 0 of empty arrays."""
    return float(ratios(got, wanted, tolerance, precision).max(initial=0.0))


def ratios(got: np.ndarray, wanted: np.ndarray, tolerance: np.ndarray, precision: str) -> np.ndarray:
    """|got - wanted| / tolerance. Infinities must be met exactly, NaN never is; what overflows the precision must come out
    infinite."""
    got, wanted = (np.asarray(a, dtype=np.float64) for a in (got, wanted))
    overflows = np.abs(wanted) > float(np.finfo(precision).max)
    wanted = np.where(overflows & np.isfinite(wanted), np.sign(wanted) * np.inf, wanted)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(got == wanted, 0.0, np.abs(got - wanted))
        relative = np.where(error == 0.0, 0.0, error / tolerance)
    return np.nan_to_num(relative, nan=np.inf, posinf=np.inf)
