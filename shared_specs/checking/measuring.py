"""The reference's results for a row: values, gradients, tolerances of both, and slopes. Measured once per row.

The row itself and the points of the difference quotients are evaluated in one go, and so are its neighbors in both precisions.
"""

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import numpy as np

from shared_specs.checking.arguments import Key, arrays_in
from shared_specs.checking.recorded import Measured, Recorded, Slope
from shared_specs.checking.simplex import projected, simplex_paths
from shared_specs.checking.tolerance import DRAWS, Points, joined, neighbors, tolerances, unit_roundoff
from shared_specs.checking.trial import Trial
from shared_specs.rows import Agree, Row

PRECISIONS = ("float64", "float32")
STEP = float(np.cbrt(unit_roundoff("float64")))


def measure(trial: Trial, row: Agree) -> Measured:
    """Expected results of an Agree row: the reference's values and gradients, and the tolerances of both."""
    found = once(trial, row, f"measured {trial.along_simplex}", lambda: _measure(trial, row, trial.arguments(row)))
    return found[trial.precision]


def _measure(trial, row, arguments):
    arrays = dict(arrays_in(arguments))
    keys = () if row.no_gradient else differentiated(row, arrays)
    drawn = cotangents(trial, row, arguments) if keys else []
    reference = trial.reference_of(row)
    directions = list(_directions(arrays, keys, on_the_simplex(trial, row, arguments))) if keys else []

    def evaluated(points):
        if keys:
            results, gradients = reference.value_and_vjp_at(row.function, keys, points)
            return results + gradients, len(results)
        results = reference.call_at(row.function, points)
        return results, len(results)

    here, values = evaluated(_lines(arguments, arrays, drawn, directions))
    around, _ = evaluated(joined(*(neighbors(arguments, precision, row.frozen, drawn) for precision in PRECISIONS)))
    wanted = tuple(array[0] for array in here)
    slopes = tuple(_slopes(directions, drawn, [result[1:] for result in here[:values]]))
    found = {}
    for i, precision in enumerate(PRECISIONS):
        limits = tolerances([array[i * DRAWS : (i + 1) * DRAWS] for array in around], wanted, precision, row.cancels)
        found[precision] = Measured(
            arguments, wanted[:values], limits[:values], keys, drawn, wanted[values:], limits[values:], slopes
        )
    return found


def differentiated(row: Agree, arrays: Iterable[Key]) -> tuple[Key, ...]:
    """The paths of the arrays with respect to which a row's function is differentiated."""
    return tuple(key for key in arrays if row.differentiate is None or key[0] in row.differentiate)


def on_the_simplex(trial: Trial, row: Agree, arguments: dict[str, Any]) -> list[Key]:
    """The arguments with gradients that are compared along the simplex alone."""
    return simplex_paths(row.given, arguments) if trial.along_simplex else []


def cotangents(trial: Trial, row: Agree, arguments: dict[str, Any]) -> list[np.ndarray]:
    """Normal draws of the results' shapes; zero for results that are integers."""
    rng = np.random.default_rng(crc32(f"cotangent/{trial.topic}/{row.function}/{row.case}".encode()))
    shapes = trial.reference_of(row).result_shapes(row.function, arguments)
    return [rng.standard_normal(shape) if floating else np.zeros(shape) for shape, floating in shapes]


def _directions(arrays, keys, simplex):
    """Two random ones, along the simplex for its arguments."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        direction = {key: rng.uniform(-1.0, 1.0, arrays[key].shape) for key in keys}
        yield direction | {key: projected(direction[key], arrays[key]) for key in simplex if key in direction}


def _lines(arguments, arrays, drawn, directions):
    """The point itself, and for each direction those at STEP, -STEP, 2 STEP and -2 STEP."""
    places = [({}, 0.0), *((direction, h) for direction in directions for h in (STEP, -STEP, 2 * STEP, -2 * STEP))]
    moved = {key: np.stack([array + h * way[key] if key in way else array for way, h in places]) for key, array in arrays.items()}
    return Points(len(places), arguments, moved, [np.stack([c] * len(places)) for c in drawn])


def _slopes(directions, drawn, found):
    def weighted(results):
        # an infinity stays one: it has no slope
        return [np.where((c == 0) | np.isinf(r), 0.0, c * r) for c, r in zip(drawn, results, strict=True)]

    for i, direction in enumerate(directions):
        ahead, behind, far_ahead, far_behind = (weighted([result[4 * i + j] for result in found]) for j in range(4))
        near = sum(float(np.sum(a - b)) for a, b in zip(ahead, behind, strict=True)) / (2 * STEP)
        far = sum(float(np.sum(a - b)) for a, b in zip(far_ahead, far_behind, strict=True)) / (4 * STEP)
        yield Slope(direction, (near, far))


def tolerances_at(
    trial: Trial, row: Row, evaluate: Callable[[Points], tuple], arguments: dict[str, Any], here: Callable[[], tuple]
) -> list:
    """The tolerance rule for rows other than Agree, once per row and precision.

    here: the reference's answer. evaluate: Points -> its answers there, computed after that.
    """

    def compute():
        wanted = here()
        found = evaluate(neighbors(arguments, trial.precision, row.frozen))
        return tolerances(found, wanted, trial.precision, row.cancels)

    return once(trial, row, trial.precision, compute)


# By topic, row, reference and quantity.
_measured = {}


def once(trial: Trial, row: Row, what: str, compute: Callable[[], Any]) -> Any:
    """A reference's result for a row, computed once for all backends and precisions, or read where it was recorded."""
    if isinstance(trial.reference, Recorded):
        return trial.reference.answer(trial, row, what)
    key = (trial.topic, id(row), id(trial.reference), what)
    if key not in _measured:
        _measured[key] = (row, trial.reference), compute()  # objects held here keep their id
    return _measured[key][1]


def forget() -> None:
    """Drops everything that was measured so far."""
    _measured.clear()
