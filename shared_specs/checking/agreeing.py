"""Checks of Agree rows and their small batches: values and gradients as the reference's, and slopes as its differences."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from shared_specs.checking.arguments import Arguments, Arrays, arrays_in, dotted, leaves
from shared_specs.checking.batch_sizes import Batch, batch_axes, measured
from shared_specs.checking.comparing import DTYPE, compared, of_other_dtypes, require_same_form, told_apart
from shared_specs.checking.implementation import Fault
from shared_specs.checking.measuring import STEP, Measured, cotangents, differentiated, measure, on_the_simplex, once
from shared_specs.checking.simplex import projected, projected_limit
from shared_specs.checking.tolerance import unit_roundoff
from shared_specs.checking.trial import Outcome, Trial
from shared_specs.checking.widths import reruns
from shared_specs.rows import Agree, Anchor


def agree(trial: Trial, row: Agree) -> Iterator[Outcome]:
    """Values and gradients; in float64 the slopes, too, and values in narrow integers."""
    asked, under_test = measure(trial, row), trial.under_test(row)
    got, gradients = None, ()
    if asked.keys and trial.implementation.has_gradients:
        got, gradients = under_test.value_and_vjp(row.function, asked.arguments, asked.keys, asked.cotangents)
    if trial.precision == "float64":
        got = under_test.plain_call(row.function, asked.arguments, got)
    elif got is None:
        got = under_test.call(row.function, asked.arguments)
    if not (yield from _compared(trial, row, asked, got, gradients)):
        return
    yield from in_narrow_integers(trial, row, asked.arguments, got, asked.wanted, asked.limits)
    if trial.precision == "float64" and gradients:
        yield _central_differences(trial, row, asked, gradients)
    elif trial.precision == "float64" and trial.implementation.has_gradients:
        yield from _without_nan(trial, row, asked)


def batch(trial: Trial, small: Batch) -> Iterator[Outcome]:
    """Values and gradients of a small batch."""
    row, under_test = small.of, trial.uncompiled(small.of)
    asked = measure_batch(trial, small) if trial.precision == "float64" else None
    if asked is None:
        return
    got, gradients = None, ()
    if asked.keys and trial.implementation.has_gradients:
        got, gradients = under_test.value_and_vjp(row.function, asked.arguments, asked.keys, asked.cotangents)
    yield from _compared(trial, row, asked, under_test.plain_call(row.function, asked.arguments, got), gradients)


def measure_batch(trial: Trial, small: Batch) -> Measured | None:
    """Expected results of a small batch; None if the function takes no batch."""
    row, whole = small.of, measure(trial, small.of)
    axes = batch_axes(trial.reference.docstring(row.function), whole.arguments)
    if axes is None:
        return None
    asked = once(trial, row, small.case, lambda: measured(small, whole, axes, trial.reference_of(row)))
    if isinstance(asked, Agree):
        asked = measure(trial, asked)
    return replace(asked, arguments=axes.first(whole.arguments, small.size))  # which a record does not hold


def in_narrow_integers(
    trial: Trial, row: Agree | Anchor, arguments: Arguments, got: Arrays, wanted: Arrays, limits: Sequence[np.ndarray]
) -> Iterator[Outcome]:
    """The values once more, from integers of other widths."""
    if trial.widths:
        for width, results in reruns(trial.uncompiled(row), row.function, arguments, got):
            yield compared(f"value in {width}", results, wanted, limits, trial.precision)._replace(loose=False)


def _compared(trial, row, asked, got, gradients):
    """Dtypes, values, and as many gradients as are requested. Returns False if the results have too few digits to be compared."""
    require_same_form(got, asked.wanted)
    other = of_other_dtypes(got, asked.wanted, _dtypes(trial, asked.arguments))
    if other:
        yield Outcome(DTYPE, np.inf, f"returned {other[0].dtype} for {trial.precision} input")
    if not all(np.can_cast(trial.precision, g.dtype) for g in other):
        return False
    yield compared("value", got, asked.wanted, asked.limits, trial.precision)
    simplex = on_the_simplex(trial, row, asked.arguments)
    for key, g, w, limit in zip(asked.keys, gradients, asked.gradients, asked.gradient_limits, strict=False):
        if g.shape != w.shape:
            raise Fault(f"the gradient {dotted(key)} has shape {list(g.shape)}; expected {list(w.shape)}")
        if key in simplex:
            log_probs = dict(arrays_in(asked.arguments))[key]
            limit = projected_limit(limit, w, log_probs, trial.precision)
            g, w = projected(g, log_probs), projected(w, log_probs)
        yield compared(f"gradient {dotted(key)}", (g,), (w,), (limit,), trial.precision)
    return True


def _dtypes(trial, arguments):
    """Allowed dtypes of a floating result: the arguments' precision; for NumPy also float64 from float32 and integers."""
    if not any(arrays_in(arguments)):
        return ()
    integers = any(isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu" for _, leaf in leaves(arguments))
    precision = trial.precision
    return (precision, "float64") if integers and trial.implementation.backend.name == "numpy" else (precision,)


def _without_nan(trial, row, asked):
    """The gradients of a row that compares none; of other people's code, only those that are compared are requested."""
    keys = () if trial.along_simplex else differentiated(row, dict(arrays_in(asked.arguments)))
    if not keys or not any(np.issubdtype(w.dtype, np.floating) for w in asked.wanted):
        return
    drawn = cotangents(trial, row, asked.arguments)
    gradients = trial.under_test(row).value_and_vjp(row.function, asked.arguments, keys, drawn)[1]
    found = [dotted(key) for key, gradient in zip(keys, gradients, strict=True) if np.isnan(gradient).any()]
    message = f"the gradient of {', '.join(found)} has NaN; none is compared here, but NaN would spread" if found else ""
    yield Outcome("gradients without NaN", np.inf if found else 0.0, message)


def _central_differences(trial: Trial, row: Agree, asked: Measured, gradients) -> Outcome:
    """The gradient under test along two random directions, against central differences of the reference.

    The tolerance is computed too: the differences at steps h and 2h tell the truncation error, and the tolerance of the values
    and the rounding errors of the inputs, divided by the step, the rest.
    """
    originals, simplex = dict(arrays_in(asked.arguments)), on_the_simplex(trial, row, asked.arguments)
    u = unit_roundoff("float64")
    worst, message = 0.0, ""
    values = sum(float(np.sum(np.abs(c) * limit)) for c, limit in zip(asked.cotangents, asked.limits, strict=True))
    for direction, (near, far) in asked.slopes:
        claimed = sum(float(np.sum(g * direction[key])) for g, key in zip(gradients, asked.keys, strict=True))
        inputs = sum(
            float(np.sum(np.abs(g) * np.where(np.isfinite(originals[key]), np.abs(originals[key]), 0.0)))
            for g, key in zip(gradients, asked.keys, strict=True)
        )
        rounding = (values + 16 * u * inputs) / STEP
        if simplex:  # a projected direction is rounded itself
            pairs = zip(asked.keys, asked.gradients, strict=True)
            rounding += 16 * u * sum(float(np.abs(w).sum()) for key, w in pairs if key in simplex)
        limit = 4 * abs(near - far) + rounding + 16 * u * abs(near)
        error = abs(claimed - near)
        here = 0.0 if error == 0 else error / limit if limit > 0 else np.inf
        if not here <= worst:
            worst = here if np.isfinite(here) else np.inf
            mismatch = "the gradient gives a slope of {}; central differences {}".format(*told_apart(claimed, near))
            message = "" if here <= 1 else mismatch
    return Outcome("central differences", worst, message)
