"""Computes what a small installation cannot: the reference's values and every tolerance, for NumPy code, one file a topic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared_specs.checking.agreeing import measure_batch
from shared_specs.checking.batch_sizes import batches_of
from shared_specs.checking.check import anchor_limits, spec_of
from shared_specs.checking.implementation import Implementation, NoGradients, Seen
from shared_specs.checking.laws import both_sides, law_limits, standard_error_of_reference
from shared_specs.checking.measuring import PRECISIONS, measure
from shared_specs.checking.recorded import INPUT, VALUES, Recording, fingerprint, place_of
from shared_specs.checking.reference import wing
from shared_specs.checking.trial import Trial
from shared_specs.rows import Agree, Anchor, Law, Row


@dataclass(frozen=True)
class InNumPy:
    """Stands for NumPy code under test: tolerances depend on its precision alone."""

    precision: str
    along_simplex = True
    has_gradients = False


class WithoutGradients:
    """The reference, without what NumPy code cannot give."""

    def __init__(self, reference: Implementation) -> None:
        self.call, self.precision = reference.call, reference.precision

    def jacobian(self, name: str, *given: Any) -> None:
        """Never there."""
        raise NoGradients(name)


def record(topic: str, rows: Sequence[Row] | None = None) -> Recording:
    """What shared_specs.checking.recorded.Recorded reads, of the rows (default: all of the topic)."""
    spec = spec_of(topic)
    reference = wing("jax", topic, "float64")
    trials = {precision: Trial(topic, InNumPy(precision), reference, spec) for precision in PRECISIONS}
    recording = {}
    for row in spec if rows is None else rows:
        if isinstance(row, Agree | Anchor | Law):
            place = place_of(row)
            if (place, INPUT) in recording:
                raise ValueError(f"{topic} has two rows {place}: give one of them another case")
            recording[place, INPUT] = fingerprint(trials["float64"], row)
            with np.errstate(all="ignore"):
                recording |= {(place, what): found for what, found in _numbers(trials, row)}
    return recording


def _numbers(trials, row) -> Iterator[tuple[str, Any]]:
    """(what it is, arrays or a number) of one row."""
    doubles = trials["float64"]
    if isinstance(row, Agree):
        yield VALUES, list(measure(doubles, row).wanted)
        yield from ((precision, measure(trial, row).limits) for precision, trial in trials.items())
        for small in batches_of(row, doubles.spec):
            if asked := measure_batch(doubles, small):
                yield f"{small.case}, {VALUES}", list(asked.wanted)
                yield small.case, asked.limits
    elif isinstance(row, Anchor):
        yield from ((precision, anchor_limits(trial, row, trial.arguments(row))) for precision, trial in trials.items())
    else:
        yield from _of_law(trials, row)


def _of_law(trials, row):
    doubles = trials["float64"]
    arguments = row.given.draw(f"{doubles.topic}/law/{row.case}")
    if row.relation == "unbiased":
        yield "standard error", standard_error_of_reference(doubles, row, arguments)
    elif row.relation != "order":
        try:
            both_sides(row, arguments, Seen(WithoutGradients(doubles.reference_of(row))))
        except NoGradients:
            return  # of NumPy code it is left out
        yield from ((precision, law_limits(trial, row, arguments)) for precision, trial in trials.items())
