"""What the rows mean: each row run against an implementation, one Result for each thing compared."""

import re
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from math import erfc, sqrt
from zlib import crc32

import numpy as np

from shared_specs.batch_sizes import Batch, batch_axes, batches_of, measured
from shared_specs.implementation import (
    Fault,
    Implementation,
    MissingFunction,
    NoGradients,
    Seen,
    arrays_in,
    dotted,
    leaves,
    require_form,
    with_arrays,
)
from shared_specs.reference import wing
from shared_specs.rows import Agree, Anchor, Law, Model, Rejects
from shared_specs.simplex import projected, projected_limit, simplex_paths
from shared_specs.tolerance import nudge, ratio, tolerances, unit_roundoff
from shared_specs.widths import narrowed, reruns

MISSING = "missing"
STANDARD_ERRORS = 5.0
# A correct estimator strays further than 5 standard errors with this probability; a bias of 5 + 3.09 of them is caught in 0.999.
FALSE_ALARM = erfc(STANDARD_ERRORS / sqrt(2))
DETECTION = STANDARD_ERRORS + 3.09


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

    def as_dict(self):
        """For JSON, which has no infinity."""
        return asdict(self) | {"ratio": self.ratio if np.isfinite(self.ratio) else None}


@dataclass(frozen=True)
class Measured:
    """One Agree row in numbers. keys name the differentiated arrays; gradients are of sum <cotangent, result>."""

    arguments: dict
    wanted: tuple
    limits: list
    keys: tuple = ()
    cotangents: list = ()
    gradients: tuple = ()
    gradient_limits: list = ()


def spec_of(topic):
    """The rows of a topic.  Raises Fault if it has none: a spec without rows is an error, not a pass."""
    rows = import_module(f"shared_specs.{topic.replace('/', '.')}").SPEC
    if not rows:
        raise Fault(f"the spec of {topic} has no rows")
    return rows


def check_topic(topic, implementation: Implementation, rows=None, *, widths=False, compiled=()):
    """Every row of a topic against one implementation, in its precision: a list of Results, never empty.

    widths: see Checker. compiled: the rows for which the implementation's functions are compiled; see rows_to_compile.
    """
    return Checker(topic, implementation, widths=widths, compiled=compiled).run(spec_of(topic) if rows is None else rows)


def rows_to_compile(topic, *, everything=False):
    """The rows that XLA is to run as users run it: of every function the first that shows values or an answer, or all rows.

    The others are evaluated by NumPy, from the same trace (shared_specs/backends/jaxpr.py).
    """
    if everything:
        return tuple(spec_of(topic))
    first = {}
    for row in sorted(spec_of(topic), key=lambda row: isinstance(row, Anchor)):
        if isinstance(row, Agree | Anchor) and row.traced:
            first.setdefault(row.function, row)
    return tuple(first.values())


class Checker:
    """The rows of one topic against one implementation, by the theory wing's reference unless another is given.

    spec: all rows of the topic, among which the first of each function is tried with small batches, too (default: the topic's).
    widths: whether rows with integers are run once more in uint8, int16 and int32, as the wings' own must be. compiled: the rows
    for which the implementation's functions are compiled.
    """

    def __init__(self, topic, implementation, reference=None, *, spec=None, widths=False, compiled=()):
        self.topic = topic
        self.compiled = {id(row) for row in compiled}
        self.implementation = implementation
        self.reference = reference or _reference(topic)
        self.precision = implementation.precision
        self._spec = spec_of(topic) if spec is None else spec
        self.widths = widths and self.precision == "float64"  # integers know no precision: once is enough

    def run(self, rows):
        return [result for row in rows for each in (row, *batches_of(row, self._spec)) for result in self._row(each)]

    def _row(self, row):
        meaning = {
            Agree: self._agree, Batch: self._batch, Anchor: self._anchor, Law: self._law, Model: self._model,
            Rejects: self._rejects,
        }  # fmt: skip
        try:
            with np.errstate(all="ignore"):
                return [self._result(row, *outcome) for outcome in meaning[type(row)](row)]
        except MissingFunction as missing:
            return [self._result(row, MISSING, np.inf, str(missing))]
        except Fault as fault:
            return [self._result(row, "call", np.inf, str(fault))]
        except RowFault:
            raise
        except Exception as error:
            return [self._result(row, "call", np.inf, f"raised {type(error).__name__}: {error}".splitlines()[0])]

    def failed(self, row, message):
        """The result of a row that could not be run."""
        return self._result(row, "call", np.inf, message)

    def _result(self, row, quantity, worst, message="", loose=False):
        passed, by_xla = bool(worst <= 1.0), self.implementation.backend.name == "jax" and id(row) in self.compiled
        return Result(
            self.topic, type(row).__name__, _subject(row), row.case, self.implementation.backend.name, self.precision,
            quantity, float(worst), passed, message, loose, getattr(row, "edge", ""), by_xla,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ Agree

    def measure(self, row):
        """What an Agree row asks for: the reference's values and gradients, and the tolerances of both."""
        arguments = row.given.draw(f"{self.topic}/{row.function}/{row.case}")
        reference = self._reference(row)
        keys = () if row.no_gradient else _differentiated(row, arguments)
        if not keys:
            wanted = self._once(row, "values", lambda: reference.call(row.function, arguments))
            limits = self._tolerances(row, lambda moved, _: reference.call(row.function, moved), arguments, wanted)
            return Measured(arguments, wanted, limits)
        # Values and gradients come from one program of the reference, and so do their tolerances.
        cotangents = self._cotangents(row, arguments)
        wanted, gradients = self._once(
            row, "values and gradients", lambda: reference.value_and_vjp(row.function, arguments, keys, cotangents)
        )

        def evaluate(moved, seed):
            rng = np.random.default_rng((seed, 2))
            nudged = [nudge(cotangent, self.precision, rng) for cotangent in cotangents]  # an input of gradients, as others are
            results, pulled = reference.value_and_vjp(row.function, moved, keys, nudged)
            return results + pulled

        limits = self._tolerances(row, evaluate, arguments, wanted + gradients)
        return Measured(arguments, wanted, limits[: len(wanted)], keys, cotangents, gradients, limits[len(wanted) :])

    def _agree(self, row):
        asked = self.measure(row)
        with_gradients = bool(asked.keys) and self.implementation.has_gradients
        under_test, got = self._under_test(row), None
        if with_gradients:
            got, gradients = under_test.value_and_vjp(row.function, asked.arguments, asked.keys, asked.cotangents)
        if self.precision == "float64":
            got = under_test.plain_call(row.function, asked.arguments, got)
        elif not with_gradients:
            got = under_test.call(row.function, asked.arguments)
        yield from self._compared(row, asked, got, gradients if with_gradients else ())
        yield from self._in_narrow_integers(row, asked.arguments, got, asked.wanted, asked.limits)
        if self.precision == "float64" and with_gradients:
            yield "central differences", *self._central_differences(row, asked, gradients)
        elif self.precision == "float64" and self.implementation.has_gradients:
            yield from self._without_nan(row, asked)

    def _without_nan(self, row, asked):
        """The gradients of a row that compares none; of other people's code, only those that are compared are asked for."""
        keys = () if getattr(self.implementation, "along_simplex", False) else _differentiated(row, asked.arguments)
        if not keys or not any(np.issubdtype(w.dtype, np.floating) for w in asked.wanted):
            return
        cotangents = self._cotangents(row, asked.arguments)
        gradients = self._under_test(row).value_and_vjp(row.function, asked.arguments, keys, cotangents)[1]
        found = [dotted(key) for key, gradient in zip(keys, gradients, strict=True) if np.isnan(gradient).any()]
        message = f"the gradient of {', '.join(found)} has NaN; none is compared here, but NaN would spread" if found else ""
        yield "gradients without NaN", np.inf if found else 0.0, message

    def _compared(self, row, asked, got, gradients):
        """Values, and as many gradients as there are of those asked for."""
        self._same_form(got, asked.wanted, self._dtypes(asked.arguments))
        worst, message = self._worst(got, asked.wanted, asked.limits)
        yield "value", worst, message, self._is_loose(worst, asked.wanted, asked.limits)
        simplex = self._simplex(row, asked)
        for key, g, w, limit in zip(asked.keys, gradients, asked.gradients, asked.gradient_limits, strict=False):
            name = dotted(key)
            if g.shape != w.shape:
                raise Fault(f"the gradient {name} has shape {list(g.shape)}; expected {list(w.shape)}")
            if key in simplex:
                log_probs = dict(arrays_in(asked.arguments))[key]
                limit = projected_limit(limit, w, log_probs, self.precision)
                g, w = projected(g, log_probs), projected(w, log_probs)
            worst, message = self._worst((g,), (w,), (limit,))
            yield f"gradient {name}", worst, message, self._is_loose(worst, (w,), (limit,))

    def _batch(self, batch):
        """Values and gradients of a small batch."""
        row, under_test, gradients = batch.of, self._uncompiled(batch.of), ()
        if self.precision != "float64":
            return
        whole = self.measure(row)
        axes = batch_axes(self.reference.docstring(row.function), whole.arguments)
        if axes is None:
            return
        asked = self._once(row, batch.case, lambda: measured(batch, whole, axes, self._reference(row)))
        if isinstance(asked, Agree):
            asked = self.measure(asked)
        if asked.keys and self.implementation.has_gradients:
            gradients = under_test.value_and_vjp(row.function, asked.arguments, asked.keys, asked.cotangents)[1]
        yield from self._compared(row, asked, under_test.plain_call(row.function, asked.arguments), gradients)

    def _simplex(self, row, asked):
        """The arguments whose gradients are compared along the simplex alone.

        The house's own wings are none of it: they write one formula, which has one gradient off the simplex, too, and are held
        to all of it.
        """
        return simplex_paths(row.given, asked.arguments) if getattr(self.implementation, "along_simplex", False) else []

    def _in_narrow_integers(self, row, arguments, got, wanted, limits):
        if self.widths:
            for width, results in reruns(self._uncompiled(row), row.function, arguments, got):
                yield f"value in {width}", *self._worst(results, wanted, limits)

    def _reference(self, row):
        return self.reference if row.traced else self.reference.eager

    def _under_test(self, row):
        return self.implementation.compiled if row.traced and id(row) in self.compiled else self._uncompiled(row)

    def _uncompiled(self, row):
        """For variations on a row: where XLA is to run it, it has run the row itself."""
        return self.implementation if row.traced else self.implementation.eager

    def _cotangents(self, row, arguments):
        """Normal draws of the results' shapes; zero for results that are integers."""
        def draw():
            rng = np.random.default_rng(crc32(f"cotangent/{self.topic}/{row.function}/{row.case}".encode()))
            shapes = self._reference(row).result_shapes(row.function, arguments)
            return [rng.standard_normal(shape) if floating else np.zeros(shape) for shape, floating in shapes]

        return self._once(row, "cotangents", draw)

    def _tolerances(self, row, evaluate, arguments, wanted):
        """The rule, measured once a row and precision."""
        return self._once(
            row, self.precision, lambda: tolerances(evaluate, arguments, wanted, self.precision, row.frozen, row.cancels)
        )

    def _once(self, row, what, compute):
        """What a reference says of a row, however many backends and precisions ask for it."""
        key = (self.topic, id(row), id(self.reference), what)
        if key not in _measured:
            _measured[key] = (row, self.reference), compute()  # what is held here keeps its id to itself
        return _measured[key][1]

    def _central_differences(self, row, asked, gradients):
        """The gradient under test along two random directions, against central differences of the reference.

        The tolerance is computed too: the differences at steps h and 2h tell the truncation error, and the rounding errors of
        the values and of the inputs, divided by the step, the rest.
        """
        originals = dict(arrays_in(asked.arguments))
        u = unit_roundoff("float64")
        step = np.cbrt(u)
        simplex = self._simplex(row, asked)
        worst, message = 0.0, ""
        measured = self._once(row, f"slopes {simplex}", lambda: list(self._slopes(row, asked, step, simplex)))
        for direction, size, slopes in measured:
            claimed = sum(float(np.sum(g * direction[key])) for g, key in zip(gradients, asked.keys, strict=True))
            inputs = sum(
                float(np.sum(np.abs(g) * np.where(np.isfinite(originals[key]), np.abs(originals[key]), 0.0)))
                for g, key in zip(gradients, asked.keys, strict=True)
            )
            rounding = 16 * u * (size + inputs + (row.cancels.magnitude if row.cancels else 0.0)) / step
            if simplex:  # a projected direction is rounded itself
                pairs = zip(asked.keys, asked.gradients, strict=True)
                rounding += 16 * u * sum(float(np.abs(w).sum()) for key, w in pairs if key in simplex)
            limit = 4 * abs(slopes[0] - slopes[1]) + rounding + 16 * u * abs(slopes[0])
            error = abs(claimed - slopes[0])
            here = 0.0 if error == 0 else error / limit if limit > 0 else np.inf
            if not here <= worst:
                worst = here if np.isfinite(here) else np.inf
                told = "the gradient gives a slope of {}; central differences {}".format(*_told_apart(claimed, slopes[0]))
                message = "" if here <= 1 else told
        return worst, message

    def _slopes(self, row, asked, step, simplex):
        """Two random directions, along the simplex for its arguments; of <cotangent, result> the magnitude, and along each
        the central differences at step and at 2 step."""
        originals = dict(arrays_in(asked.arguments))
        for seed in range(2):
            rng = np.random.default_rng(seed)
            direction = {key: rng.uniform(-1.0, 1.0, originals[key].shape) for key in asked.keys}
            direction |= {key: projected(direction[key], originals[key]) for key in simplex if key in direction}

            def along(h, direction=direction):
                moved = with_arrays(asked.arguments, {key: np.asarray(originals[key] + h * d) for key, d in direction.items()})
                results = self._reference(row).value_and_vjp(row.function, moved, asked.keys, asked.cotangents)[0]
                return [np.where(c == 0, 0.0, c * r) for c, r in zip(asked.cotangents, results, strict=True)]

            size = sum(float(np.sum(np.abs(part))) for part in along(0.0))
            slopes = [
                sum(float(np.sum(a - b)) for a, b in zip(along(h), along(-h), strict=True)) / (2 * h) for h in (step, 2 * step)
            ]
            yield direction, size, slopes

    # ------------------------------------------------------------------------------------------------ Anchor

    def _anchor(self, row):
        arguments = row.given.draw(f"{self.topic}/{row.function}/{row.case}")
        wanted = tuple(np.asarray(w, dtype=np.float64) for w in (row.gives if isinstance(row.gives, tuple) else (row.gives,)))
        reference = self._reference(row)
        limits = self._tolerances(row, lambda moved, _: reference.call(row.function, moved), arguments, wanted)
        for mistake, answer in row.near_misses.items():
            answers = answer if isinstance(answer, tuple) else (answer,)
            if self._worst(tuple(np.asarray(a, dtype=np.float64) for a in answers), wanted, limits)[0] <= 1:
                raise RowFault(f"{self.topic}: {row.function}, {row.case}: the tolerance accepts the near miss {mistake!r} pass")
        got = self._under_test(row).call(row.function, arguments)
        self._same_form(got, wanted)
        worst, message = self._worst(got, wanted, limits)
        for mistake, answer in row.near_misses.items() if worst > 1 else ():
            answers = answer if isinstance(answer, tuple) else (answer,)
            if self._worst(got, tuple(np.asarray(a, dtype=np.float64) for a in answers), limits)[0] <= 1:
                message = f"{mistake}: {message}"
        yield "anchor", worst, message, self._is_loose(worst, wanted, limits)
        yield from self._in_narrow_integers(row, arguments, got, wanted, limits)

    # ------------------------------------------------------------------------------------------------ Law

    def _law(self, row):
        if row.relation == "order" and self.precision != "float64":
            return
        arguments = row.given.draw(f"{self.topic}/law/{row.case}")
        relations = {"equal": self._equal, "at_least": self._at_least, "order": self._order, "unbiased": self._unbiased}
        try:
            yield relations[row.relation](row, arguments)
        except NoGradients:
            return

    def _sides(self, row, arguments):
        f = Seen(self._under_test(row))
        sides = [np.asarray(_side(side, f, arguments)) for side in (row.left, row.right)]
        if truths := all(side.dtype == bool for side in sides):
            rounded = with_arrays(arguments, {path: a.astype(self.precision).astype(a.dtype) for path, a in arrays_in(arguments)})
            sides = [np.asarray(_side(side, f, rounded)) for side in (row.left, row.right)]
        left, right = np.broadcast_arrays(*(side.astype(np.float64) for side in sides))

        def both(moved, f):
            return tuple(np.asarray(_side(side, f, moved), dtype=np.float64) for side in (row.left, row.right))

        if left.size == 0:
            if not all(side.size for side in both(arguments, Seen(self._reference(row)))):
                raise RowFault(f"{self.topic}: law {row.case!r} compares nothing")
            raise Fault("returned arrays so empty that the law compares nothing")
        if truths:  # "to the last bit": what is true of a result need not be true of its neighbor
            return left, right, np.zeros(left.shape)

        def disturbed(moved, seed):
            rng = np.random.default_rng((seed, 1))
            return both(moved, Seen(self._reference(row), lambda result: nudge(result, self.precision, rng)))

        inexact = list(arrays_in(arguments))

        def noted(result):
            inexact.extend(arrays_in({"": np.asarray(result)}))
            return result

        wanted = both(arguments, Seen(self._reference(row), noted))
        evaluate = disturbed if inexact else lambda *_: wanted  # whole numbers have no neighbors to move to
        limits = self._tolerances(row, evaluate, arguments, wanted)
        return left, right, sum(np.broadcast_to(limit, left.shape) for limit in limits)

    def _equal(self, row, arguments):
        left, right, limit = self._sides(row, arguments)
        worst, message = self._worst((left,), (right,), (limit,))
        return "law", worst, message, self._is_loose(worst, (right,), (limit,))

    def _at_least(self, row, arguments):
        left, right, limit = self._sides(row, arguments)
        shortfall = np.where(left >= right, 0.0, right - left)
        relative = np.nan_to_num(np.where(shortfall == 0, 0.0, shortfall / limit), nan=np.inf)
        at = np.unravel_index(int(relative.argmax()), relative.shape)
        worst = float(relative[at])
        return "law", worst, "" if worst <= 1 else "{} is below {}".format(*_told_apart(left[at], right[at])) + _place(at)

    def _order(self, row, arguments):
        f = Seen(self._under_test(row))
        limit = np.asarray(_side(row.right, f, arguments), dtype=np.float64)
        errors = [float(np.max(np.abs(np.asarray(row.left(f, h, *arguments.values())) - limit))) for h in row.at]
        slope = float(np.log(errors[-2] / errors[-1]) / np.log(row.at[-2] / row.at[-1])) if min(errors) > 0 else np.inf
        # Orders are integers or half integers: a quarter of one separates them.
        off = abs(slope - row.order) / 0.25
        return "law", off, "" if off <= 1 else f"the error falls as h^{slope:.2f}, not h^{row.order:g} (errors {errors})"

    def _unbiased(self, row, arguments):
        f = Seen(self._under_test(row))
        samples, standard_error = self._samples(row, f, arguments)
        expected = np.asarray(_side(row.right, f, arguments), dtype=np.float64)
        if np.any(DETECTION * standard_error > row.detects):
            of_reference = self._samples(row, Seen(self._reference(row)), arguments)[1]
            sees = f"with {row.draws} draws it sees {float(DETECTION * standard_error.max()):.3g}"
            if np.any(DETECTION * of_reference > row.detects):
                raise RowFault(f"{self.topic}: law {row.case!r} promises to see a bias of {row.detects:g}; {sees}")
            times = float(standard_error.max() / of_reference.max()) if of_reference.max() > 0 else np.inf
            raise Fault(f"varies {times:.3g} times as much as the reference: the law is to see a bias of {row.detects:g}; {sees}")
        limit = STANDARD_ERRORS * standard_error + 16 * unit_roundoff(self.precision) * np.abs(expected)
        worst, message = self._worst((samples.mean(axis=0),), (expected,), (limit,))
        return "law", worst, message

    def _samples(self, row, f, arguments):
        """The draws of an `unbiased` law, always from the same seed, and the standard error of their mean."""
        rng = np.random.default_rng(crc32(f"{self.topic}/{row.case}".encode()))
        samples = np.asarray(row.left(f, rng, row.draws, *arguments.values()), dtype=np.float64)
        return samples, samples.std(axis=0, ddof=1) / np.sqrt(len(samples))

    # ------------------------------------------------------------------------------------------------ the other two

    def _model(self, row):
        from shared_specs.models import compare_networks

        practice = self.implementation.network(row.network)
        if practice is not None:
            yield from compare_networks(self.topic, row, self.precision, practice, widths=self.widths)

    def _rejects(self, row):
        if self.precision != "float64":
            return
        arguments = row.given.draw(f"{self.topic}/{row.function}/{row.case}")
        yield "rejects", *self._refusal(row, arguments)
        for width, narrow in narrowed(arguments) if self.widths else ():
            yield f"rejects in {width}", *self._refusal(row, narrow)

    def _refusal(self, row, arguments):
        try:
            self.implementation.eager.call(row.function, arguments)
        except ValueError as error:
            blames = row.argument if self.implementation.names_only_argument else row.blames.strip()
            blamed = re.search(rf"(?<!\w){re.escape(blames)}(?!\w)", str(error))
            return 0.0 if blamed else np.inf, "" if blamed else f"the error does not name {blames}: {error}"
        except Fault:
            raise
        except Exception as error:
            return np.inf, f"raised {type(error).__name__} instead of ValueError: {error}".splitlines()[0]
        return np.inf, f"accepted bad input ({row.case})"

    # ------------------------------------------------------------------------------------------------ comparing

    def _dtypes(self, arguments):
        """What a floating result may be: the arguments' precision. NumPy makes float64 of float32 beside integers, and may."""
        if not any(arrays_in(arguments)):
            return ()
        integers = any(isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu" for _, leaf in leaves(arguments))
        return (self.precision, "float64") if integers and self.implementation.backend.name == "numpy" else (self.precision,)

    def _same_form(self, got, wanted, dtypes=()):
        require_form([g.shape for g in got], [w.shape for w in wanted])
        for g, w in zip(got, wanted, strict=True):
            if dtypes and np.issubdtype(w.dtype, np.floating) and g.dtype not in dtypes:
                raise Fault(f"returned {g.dtype} for {self.precision} input")

    def _worst(self, got, wanted, limits):
        worst, message = 0.0, ""
        for g, w, limit in zip(got, wanted, limits, strict=True):
            here = ratio(g, w, limit, self.precision)
            if here > worst:
                worst = here
                message = "" if here <= 1 else _difference(g, w, limit, self.precision)
        return worst, message

    def _is_loose(self, worst, wanted, limits):
        """Whether less than 1% is used of a tolerance that is far above the rounding of the answer itself."""
        floor = 16 * unit_roundoff(self.precision)
        wide = any(np.any(limit > 16 * floor * np.maximum(np.abs(w), 1e-300)) for w, limit in zip(wanted, limits, strict=True))
        return bool(worst < 0.01 and wide)


class RowFault(Exception):
    """A row that cannot refuse what it says it refuses: the spec is at fault, not the implementation."""


# By topic, row and quantity.
_measured = {}


@cache
def _reference(topic):
    """One reference a topic and process."""
    return wing("jax", topic, "float64")


def forget():
    """Drops everything that was traced, compiled and measured so far."""
    from shared_specs.models import forget as forget_networks

    _measured.clear()
    forget_networks()
    _reference.cache_clear()
    wing.cache_clear()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


def _subject(row):
    return getattr(row, "function", None) or getattr(row, "network", None) or ""


def _side(side, f, arguments):
    return side(f, *arguments.values()) if callable(side) else side


def _differentiated(row, arguments):
    return tuple(
        key for key, _ in arrays_in(arguments)
        if row.differentiate is None or key[0] in row.differentiate
    )  # fmt: skip


def _difference(got, wanted, limit, precision):
    limit = np.broadcast_to(limit, np.shape(wanted))
    ratios = np.array([ratio(g, w, t, precision) for g, w, t in zip(got.flat, wanted.flat, limit.flat, strict=True)])
    at = np.unravel_index(int(ratios.argmax()), wanted.shape)
    g, w = _told_apart(got[at], wanted[at])
    return f"got {g}, expected {w} within {limit[at]:.2g}{_place(at)}"


def _told_apart(*numbers):
    """Numbers as text, in nine digits, or in all where nine do not tell them apart."""
    texts = [f"{number:.9g}" for number in numbers]
    return texts if len(set(texts)) > 1 else [f"{number:.17g}" for number in numbers]


def _place(at):
    return f" at {[int(i) for i in at]}" if at else ""
