r"""Prose that holds: the relations of a text are expressions, which are printed and executed.

    so=prose("No Gaussian comes closer than {floor}; {best} is its variance.", floor=-log(known) / 2, best=holds(v, "=", known))
    because=prose("leave out the gap; equality at {mean}", mean=where(m, w * x / (w**2 + s)))

A field is an expression; a relation, which is executed as a line of a chain is; a condition, under which the relations of the
same text are executed; or the definition of a letter. In the reason of an inequality, what the line leaves out must vanish under
the conditions, and must not vanish elsewhere. A relation between dollar signs is refused, unless it is in `said`: the page counts
these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy

from theory_jax.derivation.chains import Verdict
from theory_jax.derivation.ground import STATES, Ground
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import made
from theory_jax.derivation.typeset import latex

SIGNS = {"=": "=", "!=": r"\ne", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge"}
POINTS = 24  # random points at which an inequality is tried
FORMULA = re.compile(r"\$[^$]*\$")
RELATION = re.compile(r"[=<>]|\\(?:leq?|geq?|neq?|to|approx|propto|in|sim|equiv|ll|gg)(?![A-Za-z])")
PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Holds:
    """left sign right, for everything that the conditions leave open.

    when: its own conditions. wrong: other right sides. named: the words around it name the left side, so that the right one alone
    is printed.
    """

    left: sympy.Expr
    sign: str
    right: sympy.Expr
    when: Mapping = field(default_factory=dict)
    wrong: Mapping[str, sympy.Expr] = field(default_factory=dict)
    named: bool = False

    @property
    def latex(self):
        """The whole relation."""
        return f"{latex(self.left)} {SIGNS[self.sign]} {latex(self.right)}"

    @property
    def printed(self):
        """As it is printed."""
        return latex(self.right) if self.named else self.latex

    def expressions(self):
        """Everything that is written in the relation."""
        return self.left, self.right, *self.when, *self.when.values(), *self.wrong.values()

    def execute(self, ground):
        """The Verdict.  Raises Refused if a wrong form would hold. ground: that of the text's conditions; `when` is added."""
        require(ground.given.get(self.left) != self.right, f"${self.latex}$ repeats a condition of the text")
        ground = ground.under(self.when)
        verdict = _verdict(ground, self.left, self.sign, self.right)
        for mistake, form in self.wrong.items():
            passed = _verdict(ground, self.left, self.sign, form).passed
            require(not passed, f"${self.latex}$ would hold, too, with this mistake: {mistake}, ${latex(form)}$")
        return verdict


@dataclass(frozen=True)
class Where:
    """The condition that a symbol has a value."""

    symbol: sympy.Expr
    value: sympy.Expr

    @property
    def printed(self):
        """As it is printed."""
        return f"{latex(self.symbol)} = {latex(self.value)}"

    def expressions(self):
        """Everything that is written in the condition."""
        return self.symbol, self.value


@dataclass(frozen=True)
class Means:
    """A letter, in LaTeX, for an expression: of this text alone."""

    letter: str
    expression: sympy.Expr

    @property
    def printed(self):
        """As it is printed."""
        return f"{self.letter} = {latex(self.expression)}"

    def expressions(self):
        """What is defined."""
        return (self.expression,)


FIELDS = Holds | Where | Means  # any other field is an expression


def holds(left, sign, right, *, when=(), wrong=(), named=False):
    """A relation: sign is one of =, !=, <, >, <=, >=.

    when: {symbol: value}. wrong: {mistake: another right side}, each of which must be refused. named: print the right side alone,
    in "its variance is {variance}".
    """
    if sign not in SIGNS:
        raise ValueError(f"the sign is {sign!r}; it must be one of {', '.join(SIGNS)}")
    when, wrong = ({key: made(value) for key, value in dict(given).items()} for given in (when, wrong))
    return Holds(made(left), sign, made(right), when, wrong, named)


def where(symbol, value):
    """A condition of the text: symbol = value."""
    return Where(symbol, made(value))


def means(letter, expression):
    """A letter for an expression, which the text goes on with."""
    return Means(letter, made(expression))


class Prose(str):
    """A text with its fields filled in.

    fields: what they hold. written: the text before. said: relations that nothing executes.
    """

    def __new__(cls, written, fields, said=()):
        text = super().__new__(cls, _filled(written, fields))
        text.written, text.fields, text.said = written, dict(fields), tuple(said)
        return text

    def __getnewargs__(self):
        return self.written, self.fields, self.said

    @property
    def conditions(self):
        """{symbol: value} of its conditions."""
        return {part.symbol: part.value for part in self.fields.values() if isinstance(part, Where)}

    @property
    def relations(self):
        """Its relations, in the order of its fields."""
        return [part for part in self.fields.values() if isinstance(part, Holds)]

    def expressions(self):
        """Everything that is written in its fields."""
        for part in self.fields.values():
            yield from part.expressions() if isinstance(part, FIELDS) else (part,)

    def check(self):
        """Refuses fields that are not in the text, places without a field, and relations that are neither fields nor said."""
        outside = FORMULA.sub("", self.written)
        places = set(PLACE.findall(outside))
        unused, unfilled = sorted(set(self.fields) - places), sorted(places - set(self.fields))
        require(not unused, f"the text {self[:40]!r} has no place for its field {', '.join(unused)}")
        require(not unfilled, f"the text {self[:40]!r} has no field for {{{', '.join(unfilled)}}}")
        formulas = [formula[1:-1] for formula in FORMULA.findall(self.written)]
        for formula in formulas:
            known = formula in self.said or not RELATION.search(formula)
            require(known, f"${formula}$ is a relation that nothing executes: make it a field, or add it to said=")
        absent = [formula for formula in self.said if formula not in formulas]
        require(not absent, f"said= has ${', '.join(absent)}$, which the text {self[:40]!r} does not contain")


def prose(text, *, said=(), **fields):
    """A text with fields {name} outside of its dollar signs, each an expression, holds(...), where(...) or means(...)."""
    parts = {name: part if isinstance(part, FIELDS) else made(part) for name, part in fields.items()}
    return Prose(text, parts, said)


def _filled(written, fields):
    printed = {name: f"${part.printed if isinstance(part, FIELDS) else latex(part)}$" for name, part in fields.items()}
    outside, formulas = FORMULA.split(written), [*FORMULA.findall(written), ""]
    filled = (PLACE.sub(lambda place: printed.get(place[1], place[0]), words) for words in outside)
    return "".join(words + formula for words, formula in zip(filled, formulas, strict=True))


# ---------------------------------------------------------------------------------------------------- execution


def words_of(part):
    """(the name of its attribute, text) of everything that a part of a derivation says in words, reasons of lines first."""
    yield from (("because", line.because) for line in getattr(part, "lines", ()))
    for name in ("title", "question", "hint", "text", "caption", "because", "so", "answer"):
        if text := getattr(part, name, ""):
            yield name, text


def texts(part):
    """(text, conditions of its question, what its line leaves out) of every Prose in a part, or in the front matter."""
    left_out = {id(line.because): line.difference for line in getattr(part, "lines", ())}
    question = getattr(part, "question", "")
    given = question.conditions if isinstance(question, Prose) else {}
    for _, text in words_of(part):
        if isinstance(text, Prose):
            yield text, {} if text is question else given, left_out.get(id(text), sympy.Integer(0))
    for name in ("setting", "limits"):
        yield from ((text, {}, sympy.Integer(0)) for text in getattr(part, name, ()) if isinstance(text, Prose))


def execute(part, setting):
    """(text, claim, Verdict) for every relation of a part's texts, and for every place of equality.  Raises Refused."""
    for text, given, dropped in texts(part):
        text.check()
        setting.require_introduced(list(text.expressions()), f"the text {text[:40]!r}")
        ground = ground_of(part, setting)
        for relation in text.relations:
            yield text, relation.latex, relation.execute(ground.under(given | text.conditions))
        if dropped != 0 and text.conditions:
            claim = ", ".join(part.printed for part in text.fields.values() if isinstance(part, Where))
            yield text, claim, _equality(ground, text.conditions, dropped)


def ground_of(part, setting):
    """The ground of a part: with its own numbers of states, if it has any."""
    return Ground(getattr(part, "states", STATES), setting.sizes | dict(getattr(part, "sizes", ())), setting.between)


def _verdict(ground, left, sign, right):
    if sign in ("=", "!="):
        apart = ground.differs(left - right)
        if sign == "!=":
            return Verdict(f"they differ{ground.spoken(left, right)}" if apart else "they are equal", bool(apart))
        if apart:
            return Verdict(f"false at {apart}", False)
        shown = ground.vanishes(left - right)
    else:
        gap = left - right if ">" in sign else right - left
        if below := ground.below(gap, strictly="=" not in sign, points=POINTS):
            return Verdict(f"false at {below}", False)
        shown = "=" in sign and ground.never_negative(gap)
    return Verdict(f"holds{ground.spoken(left, right)}" if shown else f"holds at {POINTS} points", True)


def _equality(ground, conditions, dropped):
    """Whether what an inequality leaves out vanishes under the conditions, and not where one of them has another value."""
    if apart := ground.under(conditions).differs(dropped):
        return Verdict(f"what is left out does not vanish there: at {apart}", False)
    for symbol, value in conditions.items():
        if not ground.under(conditions | {symbol: ground.elsewhere(symbol, value)}).differs(dropped):
            return Verdict(f"what is left out vanishes, too, where ${latex(symbol)}$ is not ${latex(value)}$", False)
    return Verdict("what is left out vanishes there, and not elsewhere", True)
