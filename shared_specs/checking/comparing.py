"""Compare results with expected values: shapes, error-to-tolerance ratios, messages."""

from collections.abc import Sequence

import numpy as np

from shared_specs.checking.implementation import require_form
from shared_specs.checking.tolerance import ratio, ratios, unit_roundoff
from shared_specs.checking.trial import Outcome

Arrays = Sequence[np.ndarray]

CALL, DTYPE = "call", "dtype"  # quantities of which there is only right or wrong


def require_same_form(got: Arrays, wanted: Arrays) -> None:
    """Raises Fault unless number and shapes are the wanted ones."""
    require_form([g.shape for g in got], [w.shape for w in wanted])


def of_other_dtypes(got: Arrays, wanted: Arrays, dtypes: Sequence[str]) -> list[np.ndarray]:
    """The results that should be floating-point and have none of these dtypes; none of them if no dtypes are given."""
    floating = [g for g, w in zip(got, wanted, strict=True) if np.issubdtype(w.dtype, np.floating)]
    return [g for g in floating if dtypes and g.dtype not in dtypes]


def compared(quantity: str, got: Arrays, wanted: Arrays, limits: Arrays, precision: str) -> Outcome:
    """The largest ratio of error to tolerance, and where it is, if it is above 1."""
    worst, message = 0.0, ""
    for g, w, limit in zip(got, wanted, limits, strict=True):
        here = ratio(g, w, limit, precision)
        if here > worst:
            worst, message = here, "" if here <= 1 else difference(g, w, limit, precision)
    return Outcome(quantity, worst, message, _is_loose(worst, wanted, limits, precision))


def difference(got: np.ndarray, wanted: np.ndarray, limit: np.ndarray, precision: str) -> str:
    """The entry that is furthest off, in words."""
    limit = np.broadcast_to(limit, np.shape(wanted))
    at = np.unravel_index(int(ratios(got, wanted, limit, precision).argmax()), wanted.shape)
    g, w = told_apart(got[at], wanted[at])
    return f"got {g}, expected {w} within {limit[at]:.2g}{place(at)}"


def told_apart(*numbers: float) -> list[str]:
    """Numbers as text, in nine digits, or in all where nine do not tell them apart."""
    texts = [f"{number:.9g}" for number in numbers]
    return texts if len(set(texts)) > 1 else [f"{number:.17g}" for number in numbers]


def place(at: Sequence[int]) -> str:
    """An index as the end of a sentence; nothing for an array without axes."""
    return f" at {[int(i) for i in at]}" if at else ""


def _is_loose(worst, wanted, limits, precision):
    floor = 16 * unit_roundoff(precision)
    wide = any(np.any(limit > 16 * floor * np.maximum(np.abs(w), 1e-300)) for w, limit in zip(wanted, limits, strict=True))
    return bool(worst < 0.01 and wide)
