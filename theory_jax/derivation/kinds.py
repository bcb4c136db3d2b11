"""The comparison of each kind of step, and the comparisons that it rejects.

A body returns labeled sides: Sides, BoundSides or SampleSides. Each may name wrong forms: by the mistake, what it would put in
place of the second side (of a bound: a function of both sides). Every one must be refused.

A kind takes the step and these sides. It gives the residual (None: there is no number to give), what was done in words, and the
words for the case that the residual is too large.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import sympy

FEWEST_SAMPLES = 1000  # below, a standard error is itself too uncertain to count five of them
STANDARD_ERRORS = 5.0  # a true claim fails once in 1.7 million seeds


NONE = MappingProxyType({})


class Sides(NamedTuple):
    """Two routes to one value: of symbolic, numeric, exact and autodiff steps."""

    left: Any
    right: Any
    wrong: Mapping[str, Any] = NONE


class BoundSides(NamedTuple):
    """A function that returns the smaller and the larger side, the arguments to try it at, and those at which both are equal."""

    sides: Callable
    points: tuple
    tight: tuple
    wrong: Mapping[str, Callable] = NONE


class SampleSides(NamedTuple):
    """Draws [N, ...] at a fixed seed, and their mean."""

    samples: Any
    expected: Any
    wrong: Mapping[str, Any] = NONE


class Refused(Exception):
    """The step compares nothing, or not what its kind requires."""


def require(condition, message):
    """Refuse the step unless the condition holds."""
    if not condition:
        raise Refused(message)


def _symbolic(step, returned):
    left, right, wrong = _labeled(step, returned, Sides)
    lefts, rights = _expressions(left, "left"), _expressions(right, "right")
    require(
        any(isinstance(side, sympy.Basic | sympy.MatrixBase | list | tuple) for side in (left, right)),
        "neither side is a SymPy expression",
    )
    residual, what = _reduced(lefts, rights)
    for mistake, form in wrong.items():
        passes = _reduced(lefts, _expressions(form, f"the mistake {mistake!r}"))[0] == 0
        require(not passes, f"it would hold, too, with this mistake: {mistake}")
    return residual, "derived: the difference reduces to 0", what


def _reduced(lefts, rights):
    require(len(lefts) == len(rights), f"left has {len(lefts)} expressions and right has {len(rights)}")
    for a, b in zip(lefts, rights, strict=True):
        difference = a - b
        for reduce in (sympy.expand, sympy.simplify, lambda e: sympy.simplify(sympy.expand_log(sympy.expand(e), force=False))):
            difference = reduce(difference)
            if difference == 0:
                break
        else:
            return None, f"the difference simplifies to {difference}, not to zero"
    return 0.0, ""


def _expressions(side, name):
    parts = list(side) if isinstance(side, list | tuple | sympy.MatrixBase) else [side]
    require(parts and not any(part is None for part in parts), f"{name} is empty")
    parts = [sympy.sympify(part) for part in parts]
    require(all(isinstance(part, sympy.Expr) for part in parts), f"{name} is not an expression but {side!r}")
    require(not any(part.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo) for part in parts), f"{name} is not finite: {side}")
    return parts


def _equality(step, returned):
    left, right, wrong = _labeled(step, returned, Sides)
    names, infinities = ("left", "right"), step.kind == "exact"
    residual, what = _distance(left, right, names, infinities, step.scale)
    for mistake, form in wrong.items():
        off, _ = _distance(left, form, names, infinities, step.scale)
        require(off > step.tolerance, f"it would hold, too, with this mistake: {mistake}")
    count = np.broadcast(np.asarray(left), np.asarray(right)).size
    relation = "<=" if residual <= step.tolerance else ">"
    if step.kind == "exact":
        done = f"enumerated, {step.outcomes} outcomes" if step.outcomes else "enumerated"
    else:
        done = f"{'differentiated and compared' if step.kind == 'autodiff' else 'checked'} at {count} point{'s' * (count != 1)}"
    return residual, f"{done}, {residual:.1e} {relation} {step.tolerance:.0e}", what


def _bound(step, returned):
    sides, points, tight, wrong = _labeled(step, returned, BoundSides)
    require(wrong, "it names no wrong form that it must refuse (wrong=)")
    residual, words, what = _bound_between(step, *sides(*points), sides(*tight))
    at_rest = np.abs(_array(sides(*tight)[1], "the tight side"))
    require(
        np.any(at_rest > 0), "the tight pair is 0 = 0, where a false constant is tight, too: give a place at which it is not zero"
    )
    for mistake, form in wrong.items():
        try:
            held = _bound_between(step, *form(*points), form(*tight))[0] <= step.tolerance
        except Refused:
            held = False
        require(not held, f"it would hold, too, with this mistake: {mistake}")
    return residual, words, what


def _bound_between(step, smaller, larger, tight):
    smaller, larger = _array(smaller, "smaller"), _array(larger, "larger")
    _require_alike(smaller, larger, ("smaller", "larger"), infinities=False)
    require(not np.iscomplexobj(smaller) and not np.iscomplexobj(larger), "complex numbers have no order")
    require(np.any(smaller != larger), "smaller and larger are equal everywhere: that is an identity, not a bound")
    excess = (smaller - larger) / np.maximum(1.0, np.maximum(np.abs(smaller), np.abs(larger)))
    violation = max(0.0, float(excess.max()))
    words = f"held at {excess.size} points, and tight where claimed"
    if violation > step.tolerance:
        at = np.unravel_index(excess.argmax(), excess.shape)
        low, high = (np.broadcast_to(side, excess.shape)[at] for side in (smaller, larger))
        return violation, "not held", f"the bound does not hold{_at(at)}: {low!s} > {high!s}"
    names = ("left of the tight pair", "right of the tight pair")
    distance, what = _distance(*tight, names, False, 1.0)
    return max(violation, distance), words, f"the bound is not tight where it should be: {what}"


def _monte_carlo(step, returned):
    samples, expected, wrong = _labeled(step, returned, SampleSides)
    require(wrong, "it names no wrong form that it must refuse (wrong=)")
    residual, what = _standard_errors(samples, expected)
    for mistake, form in wrong.items():
        require(_standard_errors(samples, form)[0] > step.tolerance, f"it would hold, too, with this mistake: {mistake}")
    relation = "<=" if residual <= step.tolerance else ">"
    words = f"sampled, {len(samples)} draws, {residual:.2f} {relation} {step.tolerance:g} standard errors"
    return residual, words, what


def _standard_errors(samples, expected):
    samples, expected = _array(samples, "samples"), _array(expected, "expected")
    count = samples.shape[0] if samples.ndim else 0
    require(count >= FEWEST_SAMPLES, f"samples has {count} draws along its first axis; it needs at least {FEWEST_SAMPLES}")
    _require_alike(samples[0], expected, ("one draw", "expected"), infinities=False)
    require(np.all(np.isfinite(samples)), "samples is not finite")
    error = samples.std(axis=0, ddof=1) / np.sqrt(count)
    require(np.all(error > 0), "samples has zero variance: nothing is random, use a numeric step")
    mean = samples.mean(axis=0)
    require(np.any(mean != expected), "expected is the samples' own mean, to the last bit")
    scores = np.abs(mean - expected) / error
    at = np.unravel_index(scores.argmax(), scores.shape)
    center = np.broadcast_to(expected, scores.shape)[at]
    return float(scores.max()), f"the mean{_at(at)} is {mean[at]!s} +- {error[at]:.2g}, expected {center!s}"


KINDS = {
    "symbolic": _symbolic,
    "numeric": _equality,
    "exact": _equality,
    "autodiff": _equality,
    "bound": _bound,
    "monte_carlo": _monte_carlo,
}

# ---------------------------------------------------------------------------------------------------- comparison


def _labeled(step, returned, form):
    """The labeled sides that the body returned, which must not be the same object."""
    expected = f"{'an' if step.kind[0] in 'ae' else 'a'} {step.kind} step returns {form.__name__}"
    require(isinstance(returned, form), f"it returned {type(returned).__name__}; {expected}")
    a, b, *_ = returned
    # a bare Python number may be shared by chance, an array is not
    require(a is not b or not (hasattr(a, "dtype") or np.ndim(a)), "both sides are the same object")
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        require(not np.shares_memory(a, b), "both sides are views of the same memory")
    return returned


def _array(side, name):
    require(side is not None, f"{name} is None: nothing to compare")
    array = np.asarray(side)
    require(array.size > 0, f"{name} is empty: nothing to compare")
    require(array.dtype.kind != "b", f"{name} is a truth value, which hides the residual: return the numbers compared")
    require(array.dtype.kind in "iufc", f"{name} is not numbers but {array.dtype}")
    require(
        array.dtype.kind in "iu" or array.dtype in (np.float64, np.complex128),
        f"{name} is {array.dtype}: the derivation is computed in float64",
    )
    return array if np.iscomplexobj(array) else array.astype(np.float64)


def _require_alike(left, right, names, *, infinities):
    require(
        left.shape == right.shape or left.ndim == 0 or right.ndim == 0,
        f"{names[0]} has shape {list(left.shape)} and {names[1]} {list(right.shape)}: only scalars broadcast",
    )
    both_infinite = (left == right) & np.isinf(left) & np.isinf(right) if infinities else False
    for side, name in zip((left, right), names, strict=True):
        require(np.all(np.isfinite(side) | both_infinite), f"{name} is not finite")


def _distance(left, right, names, infinities, scale):
    """The largest |left - right| relative to the larger of both, element by element, and where it is.

    Where one side is exactly zero nothing is relative to it: such an element is compared relative to `scale`, without one to the
    largest number of both sides.
    """
    left, right = _array(left, names[0]), _array(right, names[1])
    _require_alike(left, right, names, infinities=infinities)
    left, right = np.broadcast_arrays(left, right)
    finite = np.isfinite(left)
    a, b = np.where(finite, left, 0), np.where(finite, right, 0)
    largest = np.maximum(np.abs(a), np.abs(b))
    ruler = np.where((a == 0) | (b == 0), max(largest.max(), scale or 0.0), np.maximum(largest, scale or 0.0))
    require(np.any(ruler > 0) or infinities, "both sides are zero everywhere, which compares nothing; give a scale=")
    ruler = np.where(ruler > 0, ruler, 1.0)
    error = np.abs(a - b) / ruler
    at = np.unravel_index(error.argmax(), error.shape)
    return float(error.max()), f"{names[0]}{_at(at)} is {left[at]!s}, {names[1]} is {right[at]!s}"


def _at(index):
    return f" at {[int(i) for i in index]}" if index else ""
