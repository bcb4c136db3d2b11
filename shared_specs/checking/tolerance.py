"""The tolerance rule: derived from the reference's own sensitivity, never chosen.

tolerance = 16 x (largest change of the reference when every input moves to a neighboring float, over 16 seeded draws)
          + 16 u |reference|

with u the unit roundoff of the precision under test, and the reference always in float64; of a gradient the cotangents are inputs
like the others. An implementation that rounds its inputs and each operation once or a few times stays inside; a formula that is
wrong does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared_specs.checking.implementation import is_floating, leaves, mapped
from shared_specs.rows import Cancels

DRAWS = 16
FACTOR = 16.0


def unit_roundoff(precision: str) -> float:
    """Half the distance from 1 to the next number."""
    return float(np.finfo(precision).eps) / 2


@dataclass(frozen=True)
class Points:
    """Arguments and cotangents at many points: floating arrays have one more axis in front, along which the points lie."""

    count: int
    arguments: dict[str, Any]
    cotangents: list[np.ndarray] = field(default_factory=list)

    def at(self, point: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        """The arguments and cotangents at one of the points."""
        arguments = mapped(self.arguments, lambda _, leaf: leaf[point, ...] if is_floating(leaf) else leaf)
        return arguments, [cotangent[point, ...] for cotangent in self.cotangents]


def one_point(arguments: dict[str, Any], cotangents: Sequence[np.ndarray] = ()) -> Points:
    """The arguments and cotangents themselves."""
    return Points(1, mapped(arguments, lambda _, leaf: leaf[None] if is_floating(leaf) else leaf), [c[None] for c in cotangents])


def neighbors(
    arguments: dict[str, Any], precision: str, frozen: Sequence[str] = (), cotangents: Sequence[np.ndarray] = ()
) -> Points:
    """The 16 draws: every floating entry moves to one of its two neighbors in the precision, but for frozen arguments."""
    rng = np.random.default_rng(0)

    def moved(path, leaf):
        if not is_floating(leaf):
            return leaf
        repeated = np.broadcast_to(leaf, (DRAWS, *leaf.shape))
        return repeated if path[0] in frozen else nudge(repeated, precision, rng)

    nudged = [nudge(np.broadcast_to(c, (DRAWS, *c.shape)), precision, rng) for c in cotangents]
    return Points(DRAWS, mapped(arguments, moved), nudged)


def joined(*parts: Points) -> Points:
    """Points of the same arguments, one part behind the other."""
    found = [dict(leaves(part.arguments)) for part in parts]
    arguments = mapped(
        parts[0].arguments, lambda path, leaf: np.concatenate([each[path] for each in found]) if is_floating(leaf) else leaf
    )
    cotangents = [np.concatenate(each) for each in zip(*(part.cotangents for part in parts), strict=True)]
    return Points(sum(part.count for part in parts), arguments, cotangents)


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
