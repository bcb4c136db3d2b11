"""The rows of a topic run against an implementation, one Result for each thing compared.

The meaning of the rows is in agreeing.py, laws.py and models.py; that of Anchor and Rejects is here.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from shared_specs.checking import measuring
from shared_specs.checking.agreeing import agree, batch, in_narrow_integers
from shared_specs.checking.batch_sizes import Batch, batches_of
from shared_specs.checking.comparing import CALL, compared, require_same_form
from shared_specs.checking.implementation import Fault, Implementation, MissingFunction
from shared_specs.checking.laws import law
from shared_specs.checking.measuring import Measured
from shared_specs.checking.recorded import NotRecorded, Recorded
from shared_specs.checking.reference import Traced, wing
from shared_specs.checking.trial import MISSING, Outcome, RowFault, Trial
from shared_specs.checking.widths import narrowed
from shared_specs.rows import Agree, Anchor, Law, Model, Rejects, Row


@dataclass(frozen=True)
class Result:
    """One comparison: ratio is error over tolerance, 0 or infinity where there is only yes or no.

    compiled: XLA ran it, and not NumPy from JAX's trace.
    """

    topic: str
    word: str
    function: str
    case: str
    backend: str
    precision: str
    quantity: str
    ratio: float
    passed: bool
    message: str = ""
    loose: bool = False
    edge: str = ""  # the row's reason why sound code in float32 cannot follow
    compiled: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity."""
        return asdict(self) | {"ratio": self.ratio if np.isfinite(self.ratio) else None}


def spec_of(topic: str) -> tuple:
    """The rows of a topic.  Raises Fault if it has none: a spec without rows is an error, not a pass."""
    rows = import_module(f"shared_specs.{topic.replace('/', '.')}").SPEC
    if not rows:
        raise Fault(f"the spec of {topic} has no rows")
    return rows


def check_topic(
    topic: str, implementation: Implementation, rows: Sequence | None = None, *, widths: bool = False, compiled: Iterable = ()
) -> list[Result]:
    """Every row of a topic against one implementation, in its precision: a list of Results, never empty.

    widths: see Checker. compiled: the rows for which the implementation's functions are compiled; see rows_to_compile.
    """
    return Checker(topic, implementation, widths=widths, compiled=compiled).run(spec_of(topic) if rows is None else rows)


def rows_to_compile(topic: str, *, everything: bool = False) -> tuple:
    """The rows that XLA is to run as users run it: of every function the first that shows values or an answer, or all rows.

    The others are evaluated by NumPy, from the same trace (shared_specs/backends/jaxpr.py). A row that cannot be traced counts
    where its function has no other.
    """
    if everything:
        return tuple(spec_of(topic))
    first, rows = {}, [row for row in spec_of(topic) if isinstance(row, Agree | Anchor)]
    for row in sorted(rows, key=lambda row: (not row.traced, isinstance(row, Anchor))):
        first.setdefault(row.function, row)
    return tuple(first.values())


class Checker:
    """The rows of one topic against one implementation, by the theory wing's reference unless another is given.

    spec: all rows of the topic, among which the first of each function is tried with small batches, too (default: the topic's).
    widths: whether rows with integers are run once more in uint8, int16 and int32, as the wings' own must be. compiled: the rows
    for which the implementation's functions are compiled.
    """

    def __init__(
        self,
        topic: str,
        implementation: Implementation,
        reference: Traced | Recorded | None = None,
        *,
        spec: Sequence | None = None,
        widths: bool = False,
        compiled: Iterable = (),
    ) -> None:
        self.reference = reference or _reference(topic)
        self.trial = Trial(
            topic,
            implementation,
            self.reference,
            spec=spec_of(topic) if spec is None else spec,
            widths=widths and implementation.precision == "float64",  # integers know no precision: once is enough
            compiled=frozenset(map(id, compiled)),
        )

    def run(self, rows: Iterable) -> list[Result]:
        """The Results of the rows, and of the small batches that go with them."""
        return [result for row in rows for each in (row, *batches_of(row, self.trial.spec)) for result in self._row(each)]

    def measure(self, row: Agree) -> Measured:
        """Expected results of an Agree row: the reference's values and gradients, and the tolerances of both."""
        with np.errstate(all="ignore"):
            return measuring.measure(self.trial, row)

    def failed(self, row: Row, message: str) -> Result:
        """The result of a row that could not be run."""
        return self._result(row, Outcome(CALL, np.inf, message))

    def _row(self, row):
        meaning = {Agree: agree, Batch: batch, Anchor: anchor, Law: law, Model: model, Rejects: rejects}
        try:
            with np.errstate(all="ignore"):
                return [self._result(row, outcome) for outcome in meaning[type(row)](self.trial, row)]
        except MissingFunction as missing:
            return [self._result(row, Outcome(MISSING, np.inf, str(missing)))]
        except Fault as fault:
            return [self.failed(row, str(fault))]
        except (RowFault, NotRecorded):
            raise
        except Exception as error:
            return [self.failed(row, f"raised {type(error).__name__}: {error}".splitlines()[0])]

    def _result(self, row, outcome):
        backend, subject = self.trial.implementation.backend.name, getattr(row, "function", None) or getattr(row, "network", None)
        return Result(
            self.trial.topic,
            type(row).__name__,
            subject or "",
            row.case,
            backend,
            self.trial.precision,
            outcome.quantity,
            float(outcome.worst),
            bool(outcome.worst <= 1.0),
            outcome.message,
            outcome.loose,
            getattr(row, "edge", ""),
            compiled=backend == "jax" and id(row) in self.trial.compiled,
        )


def anchor(trial: Trial, row: Anchor) -> Iterator[Outcome]:
    """The literal answer, with the mistake named when it is a known one."""
    arguments, wanted = trial.arguments(row), _literal(row.gives)
    limits = anchor_limits(trial, row, arguments)
    misses = {mistake: _literal(answer) for mistake, answer in row.near_misses.items()}

    def passes(got, answer):
        return compared("anchor", got, answer, limits, trial.precision).worst <= 1

    for mistake, answer in misses.items():
        if passes(answer, wanted):
            raise RowFault(f"{trial.topic}: {row.function}, {row.case}: the tolerance accepts the near miss {mistake!r}")
    got = trial.under_test(row).call(row.function, arguments)
    require_same_form(got, wanted)
    outcome = compared("anchor", got, wanted, limits, trial.precision)
    mistaken = [mistake for mistake, answer in misses.items() if passes(got, answer)] if outcome.worst > 1 else []
    yield outcome._replace(message=": ".join([*mistaken[-1:], outcome.message]))
    yield from in_narrow_integers(trial, row, arguments, got, wanted, limits)


def anchor_limits(trial: Trial, row: Anchor, arguments: dict[str, Any]) -> list[np.ndarray]:
    """The tolerances of a literal answer, about the reference's own: a wrong literal would widen its tolerance."""
    reference, wanted = trial.reference_of(row), _literal(row.gives)

    def own():
        answer = measuring.once(trial, row, "own answer", lambda: reference.call(row.function, arguments))
        require_same_form(answer, wanted)
        return answer

    return measuring.tolerances_at(trial, row, lambda points: reference.call_at(row.function, points), arguments, own)


def _literal(answer):
    return tuple(np.asarray(part, dtype=np.float64) for part in (answer if isinstance(answer, tuple) else (answer,)))


def model(trial: Trial, row: Model) -> Iterator[Outcome]:
    """Two networks with the same parameters, if there is one under test."""
    from shared_specs.checking.models import compare_networks

    practice = trial.implementation.network(row.network)
    if practice is not None:
        compiled = id(row) in trial.compiled
        yield from compare_networks(trial.topic, row, trial.precision, practice, widths=trial.widths, compiled=compiled)


def rejects(trial: Trial, row: Rejects) -> Iterator[Outcome]:
    """The ValueError and the argument it names; once, since values are checked before anything is computed."""
    if trial.precision != "float64":
        return
    arguments = trial.arguments(row)
    yield _refusal(trial, row, "rejects", arguments)
    for width, narrow in narrowed(arguments) if trial.widths else ():
        yield _refusal(trial, row, f"rejects in {width}", narrow)


def _refusal(trial, row, quantity, arguments):
    try:
        trial.called_plainly(row).call(row.function, arguments)
    except ValueError as error:
        blames = row.argument if trial.implementation.names_only_argument else row.blames.strip()
        blamed = re.search(rf"(?<!\w){re.escape(blames)}(?!\w)", str(error))
        return Outcome(quantity, 0.0) if blamed else Outcome(quantity, np.inf, f"the error does not name {blames}: {error}")
    except Fault:
        raise
    except Exception as error:
        said = f"raised {type(error).__name__} instead of ValueError: {error}".splitlines()[0]
        return Outcome(quantity, np.inf, said)
    return Outcome(quantity, np.inf, f"accepted bad input ({row.case})")


@cache
def _reference(topic):
    """One reference a topic and process."""
    return wing("jax", topic, "float64")


def forget() -> None:
    """Drops everything that was traced, compiled and measured so far."""
    from shared_specs.checking.models import forget as forget_networks

    measuring.forget()
    forget_networks()
    _reference.cache_clear()
    wing.cache_clear()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
