"""The tolerance rule: derived from the reference's own sensitivity, never chosen.

tolerance = 16 x (largest change of the reference when every input moves to a neighboring float, over 16 seeded draws)
          + 16 u |reference|

with u the unit roundoff of the precision under test, and the reference always in float64; of a gradient the cotangents are inputs
like the others. An implementation that rounds its inputs and each operation once or a few times stays inside; a formula that is
wrong does not.
"""

import numpy as np

from shared_specs.implementation import arrays_in, with_arrays

DRAWS = 16
FACTOR = 16.0


def unit_roundoff(precision):
    return float(np.finfo(precision).eps) / 2


def nudged(arguments, precision, seed, frozen=()):
    """The arguments with every finite, non-zero floating entry moved to one of its two neighbors in the precision."""
    rng = np.random.default_rng(seed)
    moved = {
        path: nudge(array, precision, rng)
        for path, array in arrays_in(arguments)
        if path[0] not in frozen
    }
    return with_arrays(arguments, moved)


def nudge(array, precision, rng):
    """Every finite, non-zero entry moved to one of its two neighbors in the precision; integers are exact and stay."""
    if not np.issubdtype(np.asarray(array).dtype, np.floating):
        return array
    direction = np.where(rng.uniform(size=np.shape(array)) < 0.5, -np.inf, np.inf).astype(precision)
    neighbor = np.nextafter(np.asarray(array).astype(precision), direction).astype(np.float64)
    return np.where(np.isfinite(array) & (np.asarray(array) != 0), neighbor, array)


def tolerances(evaluate, arguments, reference, precision, frozen=(), cancels=None):
    """One array of tolerances for each array of the reference, by the rule above.

    evaluate: (arguments, seed) -> tuple of float64 arrays; seed is for what else moves on the way. A neighbor where the
    reference leaves its domain (becomes infinite) is left out. Below its smallest normal number a precision has no relative
    accuracy, so that number is added too.
    """
    u = unit_roundoff(precision)
    largest = [np.zeros(np.shape(r)) for r in reference]
    for seed in range(DRAWS):
        for change, r, other in zip(largest, reference, evaluate(nudged(arguments, precision, seed, frozen), seed), strict=True):
            with np.errstate(invalid="ignore"):
                difference = np.abs(np.asarray(other, dtype=np.float64) - r)
            np.maximum(change, np.where(np.isfinite(difference), difference, 0.0), out=change)
    extra = FACTOR * u * cancels.magnitude if cancels else 0.0
    smallest = FACTOR * float(np.finfo(precision).tiny)
    return [FACTOR * (c + u * _magnitude(r)) + extra + smallest for c, r in zip(largest, reference, strict=True)]


def _magnitude(array):
    return np.where(np.isfinite(array), np.abs(np.asarray(array, dtype=np.float64)), 0.0)


def ratio(got, wanted, tolerance, precision):
    """The largest |got - wanted| / tolerance. Infinities must be met exactly, NaN never is; what overflows the precision must
    come out infinite."""
    got, wanted = (np.asarray(a, dtype=np.float64) for a in (got, wanted))
    tolerance = np.broadcast_to(tolerance, wanted.shape)
    if wanted.size == 0:
        return 0.0
    overflows = np.abs(wanted) > float(np.finfo(precision).max)
    wanted = np.where(overflows & np.isfinite(wanted), np.sign(wanted) * np.inf, wanted)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(got == wanted, 0.0, np.abs(got - wanted))
        relative = np.where(error == 0.0, 0.0, error / tolerance)
    return float(np.nan_to_num(relative, nan=np.inf, posinf=np.inf).max())
