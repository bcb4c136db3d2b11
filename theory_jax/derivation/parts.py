"""The parts of a derivation next to its chains, steps, bridges and figures: words, worked examples, algorithms, exercises."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType

import numpy as np
import sympy

from theory_jax.derivation.chains import Verdict
from theory_jax.derivation.ground import Ground
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import Entry
from theory_jax.derivation.typeset import latex


@dataclass(frozen=True, eq=False)
class Say:
    """A paragraph between the parts."""

    text: str


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
    """Numbers that a reader checks by hand. body: yields (LaTeX or an expression, computed value, printed value)."""

    text: str
    body: Callable

    def execute(self):
        """A Verdict for every printed number; its words are the equation."""
        rows = list(self.body())
        require(rows, "an example needs a number")
        for what, computed, stated in rows:
            claim = what if isinstance(what, str) else latex(what)
            holds = agrees(computed, stated)
            yield rf"{claim} = {stated}", Verdict("computed" if holds else f"computed: {_formatted(computed)}", holds)


@dataclass(frozen=True)
class Instruction:
    """A line of an algorithm.

    by: the part that derives its formula. calls: functions of the topic that do it. indent: of how many loops it is inside.
    """

    text: str
    by: object = None
    calls: tuple[Callable, ...] = ()
    indent: int = 0


def do(text, *calls, by=None, indent=0):
    """An instruction with mathematics between dollar signs, the functions that do it, and the part that it comes from."""
    return Instruction(text, by, calls, indent)


@dataclass(frozen=True, eq=False)
class Algorithm:
    """A procedure in the page's symbols, and its first steps on an example. body: yields rows as an Example's does."""

    title: str
    instructions: tuple[Instruction, ...]
    body: Callable

    def execute(self):
        """A Verdict for every number.  Refuses functions that the body does not call: its numbers come from those named."""
        require(self.title.strip() and self.instructions, "an algorithm needs a title and an instruction")
        named = {function.__name__ for instruction in self.instructions for function in instruction.calls}
        absent = sorted(named - _names_in(self.body.__code__))
        require(not absent, f"the algorithm {self.title!r} names {', '.join(absent)}, which its example does not call")
        return Example(self.title, self.body).execute()


def _names_in(code):
    """The names that a function's code loads, also in functions inside it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(code.co_freevars, *map(_names_in, inner))


LEVELS = ("easy", "medium", "hard")  # a number to compute; a step to derive, or to change; something new to find


@dataclass(frozen=True, eq=False)
class Exercise:
    """A question, its answer in words, and a body that yields each computed value with the answer's.

    level: of LEVELS, "" as long as a lecture's exercises have none. hint: what to try first, in a sentence.
    """

    question: str
    answer: str
    body: Callable
    level: str = ""
    hint: str = ""

    def execute(self):
        """A Verdict for every number or expression of the answer."""
        require(self.level in ("", *LEVELS), f"the level of an exercise is {self.level!r}; it must be one of {', '.join(LEVELS)}")
        require(bool(self.level) == bool(self.hint.strip()), "an exercise has a level and a hint, or neither")
        rows = list(self.body())
        require(rows, "an exercise needs an answer that is executed")
        for computed, stated in rows:
            if isinstance(stated, str):
                require(stated in self.answer, f"the answer does not contain {stated}")
            holds = agrees(computed, stated)
            words = f"{stated if isinstance(stated, str) else latex(stated)}"
            yield Verdict(f"computed: {words}" if holds else f"computed: {_formatted(computed)}, not {words}", holds)


NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?:/\d+)?|[-+]?\.\d+")


def agrees(computed, stated):
    """Whether the computed value equals the stated one: numbers in a text to the digits printed, an expression exactly."""
    if isinstance(computed, str | bytes):
        return computed == stated
    if not isinstance(stated, str):
        return sympy.simplify(sympy.sympify(computed) - sympy.sympify(stated)) == 0
    printed = NUMBER.findall(stated.replace("−", "-"))
    numbers = np.ravel(np.asarray(computed, dtype=np.float64))
    if len(printed) != len(numbers):
        raise ValueError(f"{stated!r} has {len(printed)} numbers, and {len(numbers)} were computed")
    return all(
        abs(number - float(sympy.Rational(text))) <= _half_a_digit(text) for number, text in zip(numbers, printed, strict=True)
    )


def _half_a_digit(text):
    if "/" in text or "." not in text and "e" not in text:
        return 1e-9 * max(1.0, abs(float(sympy.Rational(text))))
    digits, _, power = text.partition("e")
    return 0.5 * 10.0 ** (int(power or 0) - len(digits.partition(".")[2])) * (1 + 1e-9)


def _formatted(computed):
    return str(computed) if isinstance(computed, str | sympy.Basic) else np.array2string(np.asarray(computed), precision=6)
