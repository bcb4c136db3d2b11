"""The parts of a derivation next to its chains and steps: bridges to the code, worked examples, figures and exercises."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy

from theory_jax.derivation.chains import Verdict
from theory_jax.derivation.ground import Ground, evaluate
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import Entry, free_indices
from theory_jax.derivation.typeset import latex

DRAWS = 5  # sets of random numbers at which the code is compared with what was derived
STATES = 4  # one more than chains are derived for: the code must not know how many there are
ROUNDING = 1e-11  # of the code, relative to the largest number that is compared


@dataclass(frozen=True, eq=False)
class Say:
    """A paragraph between the parts."""

    text: str


@dataclass(frozen=True, eq=False)
class Bridge:
    """An expression that was derived, and the topic's function that computes it from `inputs`.

    wrong: other expressions, by the mistake, which the code must not compute.
    """

    title: str
    expression: sympy.Expr
    code: Callable
    inputs: tuple[sympy.Expr, ...]
    tolerance: float
    states: int
    sizes: Mapping
    wrong: Mapping[str, sympy.Expr]
    uses: tuple = ()
    role: str = "bridge"

    def expressions(self):
        """Everything that is written in the bridge."""
        return (self.expression, *self.inputs, *self.wrong.values())

    def execute(self, between=(), sizes=()):
        """The code against the expression, at random numbers.  Raises Refused if the bridge could not fail."""
        require(self.title.strip(), "a bridge needs a title")
        require(self.wrong, "the bridge names no wrong form that the code must not compute (wrong=)")
        ground = Ground(self.states, dict(sizes) | dict(self.sizes), between)
        columns = [list(ground.each(part)) for part in (self.expression, *self.inputs, *self.wrong.values())]
        values = ground.points({s for column in columns for e in column for s in e.free_symbols}, DRAWS)
        shapes = [_shape(ground, part) for part in (self.expression, *self.inputs, *self.wrong.values())]
        wanted, *rest = (_numbers(column, values, shape) for column, shape in zip(columns, shapes, strict=True))
        inputs, wrong = rest[: len(self.inputs)], rest[len(self.inputs) :]
        got = np.asarray(self.code(*inputs), dtype=np.float64)
        require(
            got.shape == wanted.shape, f"the code returned the shape {list(got.shape)}; the expression has {list(wanted.shape)}"
        )
        for mistake, numbers in zip(self.wrong, wrong, strict=True):
            require(_error(got, numbers) > self.tolerance, f"the code would agree, too, with this mistake: {mistake}")
        error = _error(got, wanted)
        words = f"the code agrees at {DRAWS} random points, {error:.1e} {{}} {self.tolerance:.0e}"
        return [Verdict(words.format("<=" if error <= self.tolerance else ">"), error <= self.tolerance)]


def _shape(ground, expression):
    if isinstance(expression, sympy.MatrixBase):
        return (DRAWS, *expression.shape)
    return (DRAWS, *(ground.size(index) for index in sorted(free_indices(expression), key=str)))


def _numbers(column, values, shape):
    """[draws] of a number, [draws, K] of an expression with a free index, [draws, J, K] with two (in alphabetical order)."""
    rows = np.array([np.broadcast_to(np.asarray(evaluate(e, values), dtype=np.float64), (DRAWS,)) for e in column])
    return np.moveaxis(rows, 0, -1).reshape(shape)


def _error(got, wanted):
    """The largest difference, relative to the largest number of its draw; infinite where one side is not a number."""
    if np.isnan(got).any() or np.isnan(wanted).any() or not np.array_equal(np.isinf(got), np.isinf(wanted)):
        return np.inf
    with np.errstate(invalid="ignore"):
        far = np.where(got == wanted, 0.0, np.abs(got - wanted)).reshape(DRAWS, -1).max(axis=1)
    sizes = np.maximum(np.abs(got), np.abs(wanted)).reshape(DRAWS, -1)
    scale = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=1)
    return float(np.max(far / np.where(scale > 0, scale, 1.0)))


def value(expression, given):
    """The expression's number, where `given` has the numbers of what was left arbitrary: {p: (0.5, 0.5), s: 2}."""
    laws = {entry: values for entry, values in given.items() if isinstance(entry, Entry) and entry.indices}
    lengths = {len(values) for values in laws.values()}  # if it is one, a second index of a sum has as many states
    ground = Ground(*(lengths if len(lengths) == 1 else ()), sizes={entry.indices[0]: len(laws[entry]) for entry in laws})
    numbers = {symbol: sympy.nsimplify(number) for symbol, number in given.items() if symbol not in laws}
    for entry, values in laws.items():
        for state, number in enumerate(values):
            numbers[ground.expand(entry, {entry.indices[0]: state})] = sympy.nsimplify(number)
    column = [expanded.subs(numbers) for expanded in ground.each(sympy.sympify(expression))]
    unknown = sorted({str(symbol) for e in column for symbol in e.free_symbols})
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no number is given")
    return float(column[0]) if len(column) == 1 else tuple(map(float, column))


@dataclass(frozen=True, eq=False)
class Example:
    """Numbers that a reader checks by hand. body: yields what (LaTeX or an expression), what is computed, what is printed."""

    text: str
    body: Callable

    def execute(self):
        """A Verdict for every printed number; its words are the equation."""
        rows = list(self.body())
        require(rows, "an example needs a number")
        for what, computed, said in rows:
            claim = what if isinstance(what, str) else latex(what)
            holds = agrees(computed, said)
            yield rf"{claim} = {said}", Verdict("computed" if holds else f"computed: {_told(computed)}", holds)


@dataclass(frozen=True, eq=False)
class Figure:
    """A caption, and what draws on the axes that it is given."""

    caption: str
    draw: Callable
    panels: int = 1

    def execute(self):
        """The matplotlib figure, which must have drawn something on each of its axes."""
        from matplotlib.figure import Figure as Canvas

        require(self.caption.strip(), "a figure needs a caption")
        canvas = Canvas(figsize=(4.2 * self.panels if self.panels > 1 else 5.4, 3.2), layout="constrained")
        axes = canvas.subplots(1, self.panels, squeeze=False)[0]
        self.draw(*axes)
        for panel in axes:
            require(panel.has_data(), f"the figure {self.caption[:40]!r} draws nothing on one of its axes")
            named = panel.get_xlabel() and (panel.get_ylabel() or panel.get_title())
            require(named or not panel.axison, f"the figure {self.caption[:40]!r} does not say what its axes are")
        return canvas


@dataclass(frozen=True, eq=False)
class Exercise:
    """A question, its answer in words, and a body that yields what is computed next to what the answer says."""

    question: str
    answer: str
    body: Callable

    def execute(self):
        """A Verdict for every number or expression of the answer."""
        rows = list(self.body())
        require(rows, "an exercise needs an answer that is executed")
        for computed, said in rows:
            if isinstance(said, str):
                require(said in self.answer, f"the answer does not say {said}")
            holds = agrees(computed, said)
            words = f"{said if isinstance(said, str) else latex(said)}"
            yield Verdict(f"computed: {words}" if holds else f"computed: {_told(computed)}, not {words}", holds)


NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?:/\d+)?|[-+]?\.\d+")


def agrees(computed, said):
    """Whether what is computed is what is said: a text with as many numbers, to the digits printed; an expression, exactly."""
    if isinstance(computed, str | bytes):
        return computed == said
    if not isinstance(said, str):
        return sympy.simplify(sympy.sympify(computed) - sympy.sympify(said)) == 0
    printed = NUMBER.findall(said.replace("−", "-"))
    numbers = np.ravel(np.asarray(computed, dtype=np.float64))
    if len(printed) != len(numbers):
        raise ValueError(f"{said!r} has {len(printed)} numbers, and {len(numbers)} were computed")
    return all(
        abs(number - float(sympy.Rational(text))) <= _half_a_digit(text) for number, text in zip(numbers, printed, strict=True)
    )


def _half_a_digit(text):
    if "/" in text or "." not in text and "e" not in text:
        return 1e-9 * max(1.0, abs(float(sympy.Rational(text))))
    digits, _, power = text.partition("e")
    return 0.5 * 10.0 ** (int(power or 0) - len(digits.partition(".")[2])) * (1 + 1e-9)


def _told(computed):
    return str(computed) if isinstance(computed, str | sympy.Basic) else np.array2string(np.asarray(computed), precision=6)
