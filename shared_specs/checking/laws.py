"""Checks of Law rows: each relation over the implementation, with a tolerance measured on the reference."""

from collections.abc import Iterator
from math import erfc, sqrt
from zlib import crc32

import numpy as np

from shared_specs.backends.rounding import Rounding
from shared_specs.checking.arguments import Arguments, arrays_in, with_arrays
from shared_specs.checking.comparing import compared, place, told_apart
from shared_specs.checking.implementation import Fault, NoGradients, Seen
from shared_specs.checking.measuring import once, tolerances_at
from shared_specs.checking.tolerance import nudge, unit_roundoff
from shared_specs.checking.trial import Outcome, RowFault, Trial
from shared_specs.rows import Law

STANDARD_ERRORS = 5.0
# A correct estimator strays further than 5 standard errors with this probability; a bias of 5 + 3.09 of them is caught in 0.999.
FALSE_ALARM = erfc(STANDARD_ERRORS / sqrt(2))
DETECTION = STANDARD_ERRORS + 3.09


def law(trial: Trial, row: Law) -> Iterator[Outcome]:
    """The relation; nothing where it needs a gradient that there is not, and of an order in float32."""
    if row.relation == "order" and trial.precision != "float64":
        return
    relations = {"equal": _equal, "at_least": _at_least, "order": _order, "unbiased": _unbiased}
    try:
        yield relations[row.relation](trial, row, row.given.draw(f"{trial.topic}/law/{row.case}"))
    except NoGradients:
        return


def _side(side, f, arguments):
    return side(f, *arguments.values()) if callable(side) else side


def _sides(trial, row, arguments, holds):
    """Left, right and how far apart they may be, which is measured only where `holds` is not true of them as they are."""
    f = Seen(trial.under_test(row))
    sides = [np.asarray(_side(side, f, arguments)) for side in (row.left, row.right)]
    if truths := all(side.dtype == bool for side in sides):
        rounded = with_arrays(arguments, {path: a.astype(trial.precision).astype(a.dtype) for path, a in arrays_in(arguments)})
        sides = [np.asarray(_side(side, f, rounded)) for side in (row.left, row.right)]
    left, right = np.broadcast_arrays(*(side.astype(np.float64) for side in sides))
    if left.size == 0:
        of_reference = once(trial, row, "sides", lambda: both_sides(row, arguments, Seen(trial.reference_of(row))))
        if not all(side.size for side in of_reference):
            raise RowFault(f"{trial.topic}: law {row.case!r} compares nothing")
        raise Fault("returned arrays so empty that the law compares nothing")
    if truths or np.all(holds(left, right)):  # truths, "to the last bit": a property of a result need not hold for its neighbor
        return left, right, np.zeros(left.shape)
    return left, right, sum(np.broadcast_to(limit, left.shape) for limit in law_limits(trial, row, arguments))


def both_sides(row: Law, arguments: Arguments, f: Seen) -> tuple[np.ndarray, ...]:
    """Left and right of a law as numbers."""
    return tuple(np.asarray(_side(side, f, arguments), dtype=np.float64) for side in (row.left, row.right))


def law_limits(trial: Trial, row: Law, arguments: Arguments) -> list[np.ndarray]:
    """The tolerance of each side of a law, measured on the reference."""
    reference, inexact = trial.reference_of(row), list(arrays_in(arguments))

    def disturbed(points, draw):
        rng = np.random.default_rng((draw, 1))
        # which arguments of a function a law's frozen ones become is not known: nothing inside is rounded then
        inside = reference if row.frozen else reference.rounded(Rounding(points.shares[draw], seed=draw))
        return both_sides(row, points.at(draw)[0], Seen(inside, lambda result: nudge(result, trial.precision, rng)))

    def noted(result):
        inexact.extend(arrays_in({"": np.asarray(result)}))
        return result

    def here():
        return both_sides(row, arguments, Seen(reference, noted))

    def at(points):  # whole numbers have no neighbors to move to
        found = [disturbed(points, i) for i in range(points.count)] if inexact else [here()] * points.count
        return [np.stack(side) for side in zip(*found, strict=True)]

    return tolerances_at(trial, row, at, arguments, here)


def _equal(trial, row, arguments):
    left, right, limit = _sides(trial, row, arguments, np.equal)
    return compared("law", (left,), (right,), (limit,), trial.precision)


def _at_least(trial, row, arguments):
    left, right, limit = _sides(trial, row, arguments, np.greater_equal)
    shortfall = np.where(left >= right, 0.0, right - left)
    relative = np.nan_to_num(np.where(shortfall == 0, 0.0, shortfall / limit), nan=np.inf)
    at = np.unravel_index(int(relative.argmax()), relative.shape)
    worst = float(relative[at])
    return Outcome("law", worst, "" if worst <= 1 else "{} is below {}".format(*told_apart(left[at], right[at])) + place(at))


def _order(trial, row, arguments):
    f = Seen(trial.under_test(row))
    limit = np.asarray(_side(row.right, f, arguments), dtype=np.float64)
    errors = [float(np.max(np.abs(np.asarray(row.left(f, h, *arguments.values())) - limit))) for h in row.at]
    slope = float(np.log(errors[-2] / errors[-1]) / np.log(row.at[-2] / row.at[-1])) if min(errors) > 0 else np.inf
    # Orders are integers or half integers: a quarter of one separates them.
    off = abs(slope - row.order) / 0.25
    return Outcome("law", off, "" if off <= 1 else f"the error falls as h^{slope:.2f}, not h^{row.order:g} (errors {errors})")


def _unbiased(trial, row, arguments):
    f = Seen(trial.under_test(row))
    samples, standard_error = _samples(trial, row, f, arguments)
    expected = np.asarray(_side(row.right, f, arguments), dtype=np.float64)
    if np.any(DETECTION * standard_error > row.detects):
        of_reference = once(trial, row, "standard error", lambda: standard_error_of_reference(trial, row, arguments))
        sees = f"with {row.draws} draws it sees {float(DETECTION * standard_error.max()):.3g}"
        if DETECTION * of_reference > row.detects:
            raise RowFault(f"{trial.topic}: law {row.case!r} promises to see a bias of {row.detects:g}; {sees}")
        times = float(standard_error.max() / of_reference) if of_reference > 0 else np.inf
        raise Fault(f"varies {times:.3g} times as much as the reference: the law is to see a bias of {row.detects:g}; {sees}")
    limit = STANDARD_ERRORS * standard_error + 16 * unit_roundoff(trial.precision) * np.abs(expected)
    return compared("law", (samples.mean(axis=0),), (expected,), (limit,), trial.precision)._replace(loose=False)


def standard_error_of_reference(trial: Trial, row: Law, arguments: Arguments) -> float:
    """The largest standard error of the reference's mean in an `unbiased` law."""
    return float(_samples(trial, row, Seen(trial.reference_of(row)), arguments)[1].max())


def _samples(trial, row, f, arguments):
    """The draws of an `unbiased` law, always from the same seed, and the standard error of their mean."""
    rng = np.random.default_rng(crc32(f"{trial.topic}/{row.case}".encode()))
    samples = np.asarray(row.left(f, rng, row.draws, *arguments.values()), dtype=np.float64)
    return samples, samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
