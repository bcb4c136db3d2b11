"""Chains and lemmas: an argument line by line, each line checked against the one above.

A line is an expression of the lecture's notation, printed as it is executed. An inequality names the term that it leaves out, and
must show that this term is never negative: by its form (a square, a product of positive numbers) or by an instance of a lemma.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import sympy

from theory_jax.derivation.ground import Ground
from theory_jax.derivation.kinds import Refused, require
from theory_jax.derivation.notation import Entry, Family, Index, made
from theory_jax.derivation.references import Nonnegative, Reference
from theory_jax.derivation.typeset import latex
from theory_jax.derivation.unspecified import UnspecifiedFunction, specified

RELATIONS = {"=": 0, r"\ge": 1, r"\le": -1}


class Verdict(NamedTuple):
    """The result of executing one line."""

    words: str  # "derived for all ...", "checked at 40 points", or why it failed
    passed: bool


@dataclass(frozen=True)
class Line:
    """One line of a chain: its relation to the line above, and why it follows.

    difference: what an inequality leaves out, as the line above minus this one. points: the line is not derived but compared at
    so many random points. wrong: what a student might write in place of the line, by the mistake; each is refused, and the page
    shows it. (What a slip of the pen would write, mutation.py tries.)
    """

    relation: str
    expression: sympy.Expr
    because: str
    difference: sympy.Expr = sympy.Integer(0)
    points: int = 0
    wrong: Mapping[str, sympy.Expr] = field(default_factory=dict)


def equals(expression, because, *, points=0, wrong=()):
    """= expression. points: only compared at this many random points, for expressions that SymPy cannot reduce."""
    return Line("=", made(expression), because, points=points, wrong=_forms(wrong))


def at_least(expression, because, *, dropping, points=0, wrong=()):
    """>= expression: the line above without a term that is never negative."""
    return Line(r"\ge", made(expression), because, made(dropping), points, _forms(wrong))


def at_most(expression, because, *, adding, points=0, wrong=()):
    """<= expression: the line above with a term that is never negative."""
    return Line(r"\le", made(expression), because, -made(adding), points, _forms(wrong))


def _forms(wrong):
    return {mistake: made(form) for mistake, form in dict(wrong).items()}


@dataclass(frozen=True, eq=False)
class Chain:
    """A title in words, the first expression, and the lines that follow from it.

    about: the laws and numbers that the chain holds for all of, in place of which `at` puts others. uses: the parts it rests on.
    name: how such an instance is printed, r"B_f({}, {})"; empty: as the expression.
    states, sizes: how many states an index has (sizes: by index). so: what the chain means, after its last line.
    domain: the intervals of its numbers that are bounded on both sides. module: of the lecture that shows it.
    """

    title: str
    start: sympy.Expr
    lines: tuple[Line, ...]
    role: str = "theorem"
    so: str = ""
    uses: tuple = ()
    about: tuple = ()
    name: str = ""
    states: int = 3
    sizes: Mapping[Index, int] = field(default_factory=dict)
    domain: Mapping = field(default_factory=dict)
    module: str = ""

    @property
    def relation(self):
        """The relation of the first expression to the last."""
        return next((line.relation for line in self.lines if line.relation != "="), "=")

    @property
    def result(self):
        """The last expression."""
        return self.lines[-1].expression

    def at(self, *others):
        """The first expression for other laws or numbers than those that the chain is `about`: this, too, is never negative."""
        if self.relation != r"\ge" or self.result != 0:
            raise ValueError(f"{self.title!r} does not end in >= 0, so none of its instances is known to be nonnegative")
        return instance(self, self.start, self.about, others)

    def expressions(self):
        """Everything that is written in the chain."""
        yield self.start
        for line in self.lines:
            yield from (line.expression, line.difference, *line.wrong.values())

    def execute(self, between=(), sizes=()):
        """A Verdict for every line.  Raises Refused if a wrong form would hold.

        between, sizes: of the setting; the chain's own sizes go before.
        """
        require(self.title.strip(), "a chain needs a title")
        require(self.lines, "a chain needs a line after its first expression")
        signs = {RELATIONS[line.relation] for line in self.lines} - {0}
        require(len(signs) < 2, "a chain goes up or down, not both: split it")
        ground = Ground(self.states, dict(sizes) | dict(self.sizes), between)
        above, verdicts = self.start, []
        for line in self.lines:
            if not line.because.strip():
                raise Refused(f"the line ${latex(line.expression)}$ gives no reason")
            if line.expression == above:
                raise Refused(f"the line ${latex(line.expression)}$ repeats the line above it")
            verdicts.append(_verdict(ground, above, line))
            for mistake, form in line.wrong.items():
                if not ground.differs(_minus(above, form, line.difference)):
                    raise Refused(f"the line would hold, too, with this mistake: {mistake}, {latex(form)}")
            above = line.expression
        return verdicts


def _minus(above, below, difference):
    return above - below if difference == 0 else above - below - difference


def _verdict(ground, above, line):
    sign = RELATIONS[line.relation]
    rest = _minus(above, line.expression, line.difference)
    if sign and line.difference == 0:
        return Verdict("an inequality must say what it leaves out", False)
    if sign and not ground.never_negative(sign * line.difference):
        return Verdict(f"nothing shows that ${latex(sign * line.difference)}$ is never negative", False)
    for node in line.difference.atoms(Nonnegative):
        if outside := _outside(ground, node):
            return Verdict(outside, False)
    if where := ground.differs(rest, **({"points": line.points} if line.points else {})):
        return Verdict(f"false at {where}", False)
    if line.points:
        return Verdict(f"checked at {line.points} points", True)
    if not ground.vanishes(rest):
        return Verdict("true at random points, but SymPy does not reduce it to zero: write smaller moves, or say points=", False)
    return Verdict(f"derived{ground.spoken(above, line.expression)}", True)


def _outside(ground, node):
    """Words for an instance of a lemma at a number that is not shown to lie in the lemma's interval; empty if there is none."""
    for new, inside in node.others:
        if isinstance(inside, sympy.Interval) and not (
            ground.never_negative(new - inside.start) and ground.never_negative(inside.end - new)
        ):
            place = rf"({latex(inside.start)}, {latex(inside.end)})"
            return f"nothing shows that ${latex(new)}$ is in ${place}$, which {node.reference.title!r} is about"
    return ""


# ---------------------------------------------------------------------------------------------------- lemmas


@dataclass(frozen=True, eq=False)
class Valley:
    """A function of one number that is zero at one place and positive elsewhere: its slope changes sign there and only there.

    factor: the slope divided by (t - touches), which must be nonnegative; found by division if it is not given.
    """

    title: str
    expression: sympy.Expr
    t: sympy.Symbol
    touches: sympy.Expr
    because: str
    wrong: Mapping[str, sympy.Expr] = field(default_factory=dict)
    name: str = ""
    role: str = "lemma"
    uses: tuple = ()
    domain: Mapping = field(default_factory=dict)
    module: str = ""

    @property
    def about(self):
        """The number that the lemma holds for all of."""
        return (self.t,)

    def at(self, other):
        """The function at another number."""
        return instance(self, self.expression, self.about, (other,))

    def expressions(self):
        """Everything that is written in the lemma."""
        return (self.expression, self.touches, *self.wrong.values())

    def claims(self):
        """The claims as LaTeX: the value and the slope at the place, and the slope's sign elsewhere."""
        place, t = latex(self.touches), latex(self.t)
        yield rf"{latex(self.expression)} = 0 \quad\text{{at}}\quad {t} = {place}"
        factor = self.factor()
        written = rf"\left({latex(factor)}\right)" if factor.is_Add or factor.could_extract_minus_sign() else latex(factor)
        slope = rf"({latex(self.t - self.touches)})\,{written}"
        yield rf"\frac{{d}}{{d{t}}}\left({latex(self.expression)}\right) = {slope}"

    def factor(self, expression=None):
        """The slope divided by (t - touches)."""
        slope = sympy.diff(self.expression if expression is None else expression, self.t)
        return sympy.factor(sympy.cancel(sympy.together(slope / (self.t - self.touches))))

    def execute(self, between=(), sizes=()):
        """A Verdict for the value at the place and one for the slope's sign.  Raises Refused if a wrong form would hold."""
        require(self.title.strip() and self.because.strip(), "a lemma needs a title and a reason")
        for mistake, form in self.wrong.items():
            held = all(verdict.passed for verdict in self._verdicts(form, between, sizes))
            require(not held, f"the lemma would hold, too, with this mistake: {mistake}, {latex(form)}")
        return list(self._verdicts(self.expression, between, sizes))

    def _verdicts(self, expression, between, sizes):
        ground = Ground(sizes=sizes, between=between)
        zero = ground.vanishes(expression.subs(self.t, self.touches))
        yield Verdict("derived" if zero else f"it is ${latex(expression.subs(self.t, self.touches))}$", zero)
        factor = self.factor(expression)
        signed = ground.never_negative(factor) and factor != 0
        words = f"the factor is positive{ground.spoken(expression)}: falling before, rising after"
        yield Verdict(words if signed else f"nothing shows that ${latex(factor)}$ is never negative", signed)


@dataclass(frozen=True, eq=False)
class Assumption:
    """An expression assumed to be nonnegative, such as convexity. It is not derived; the page states this.

    example: {symbol or function: value} of something that satisfies it, at which it is tried: numbers, expressions, a tuple for
    every state of an index, a Python function for a function. wrong: {mistake: expression}, which must fail there.
    """

    title: str
    expression: sympy.Expr
    about: tuple
    name: str = ""
    example: Mapping = field(default_factory=dict)
    wrong: Mapping[str, sympy.Expr] = field(default_factory=dict)
    role: str = "assumption"
    uses: tuple = ()
    domain: Mapping = field(default_factory=dict)
    module: str = ""

    def at(self, *others):
        """The expression for other numbers."""
        return instance(self, self.expression, self.about, others)

    def expressions(self):
        """The expressions of the assumption."""
        return (self.expression, *self.wrong.values())

    def execute(self, between=(), sizes=()):
        """A Verdict on the example.  Raises Refused if a wrong form would hold there, too."""
        require(bool(self.example) == bool(self.wrong), "an assumption has an example and a wrong form, or neither")
        if not self.example:
            return []
        if below := self._below(self.expression, between, sizes):
            return [Verdict(f"false in its example, at {below}", False)]
        for mistake, form in self.wrong.items():
            held = not self._below(made(form), between, sizes)
            require(not held, f"the assumption would hold in its example, too, with this mistake: {mistake}, ${latex(form)}$")
        return [Verdict(f"holds for {', '.join(map(self._told, self.example))}", True)]

    def _told(self, key):
        value = self.example[key]
        if isinstance(key, sympy.Basic):
            return f"${latex(key)} = {latex(sympy.sympify(value))}$"
        _, orders = key.args
        numbers = sympy.symbols("x:z" if len(orders) < 4 else f"x_1:{len(orders) + 1}", real=True)[: len(orders)]
        return f"${latex(key(*numbers))} = {latex(value(*numbers))}$"

    def _below(self, expression, between, sizes):
        """Where the expression is negative in the example, as text."""
        conditions, sizes = {}, dict(sizes)
        for key, value in self.example.items():
            if not isinstance(key, sympy.Basic):
                expression = specified(expression, key, value)
            elif isinstance(value, tuple):
                conditions[key] = by_state(key.indices, value)
                sizes |= zip(key.indices, _shape(value), strict=True)
            else:
                conditions[key] = made(value)
        return Ground(sizes=sizes, between=between).under(conditions).below(expression, strictly=False)


def _shape(values):
    return (len(values), *_shape(values[0])) if isinstance(values, tuple) else ()


def by_state(indices, values):
    """A number for each state of the indices, as an expression. values: nested tuples."""
    if not indices:
        return sympy.nsimplify(values)
    first, *rest = indices
    return sympy.Add(*(sympy.KroneckerDelta(first, state) * by_state(rest, value) for state, value in enumerate(values)))


def instance(lemma, expression, about, others):
    """The nonnegative expression with distributions, numbers and families of numbers substituted.

    Raises ValueError if another takes the place of a law, of a family or of a positive number without being one, or if the
    expression has a name that is defined by what is exchanged.
    """
    families, renamed = {}, {}
    exchanged_keys = {_key(old) for old, new in zip(about, map(made, others), strict=True) if new != old}
    for family in expression.atoms(Family) - set(map(_key, about)):
        if _is_defined_by(family, exchanged_keys):
            raise ValueError(f"${family.name}$ is defined by what the lemma is about, and would stay as it is: write it out")
    for old, new in zip(about, map(made, others), strict=True):
        if isinstance(old, Entry):
            if old.family.law and not (isinstance(new, Entry) and new.family.law):
                raise ValueError(f"{latex(new)} is no law; the lemma is about laws")
            if not isinstance(new, Entry):
                raise ValueError(f"{latex(new)} has no index; the lemma is about a number for each state: define it by a name")
            if old.is_positive and not new.is_positive:
                raise ValueError(f"{latex(new)} is not known to be positive; the lemma is about positive numbers")
            families[old.family] = new
            # by way of names that no one else has: the condition of a law may be called as the lemma's own index is
            own = {index: Index(f"{index} of the lemma") for index in old.indices}
            expression = expression.xreplace(own)
            renamed |= dict(zip(own.values(), new.indices, strict=False))
        else:
            if old.is_positive and not new.is_positive:
                raise ValueError(f"{latex(new)} is not known to be positive; the lemma is about positive numbers")
            renamed[old] = new

    def exchanged(entry):
        new = families[entry.family]
        return new.at(*entry.indices, *new.indices[len(entry.indices) :])  # a conditional law keeps its condition

    found = expression.replace(lambda part: isinstance(part, Entry) and part.family in families, exchanged)
    needed = (sympy.Interval.open(*lemma.domain[old]) if old in lemma.domain else sympy.UniversalSet for old in about)
    used_at = (sympy.Tuple(made(new), inside) for new, inside in zip(others, needed, strict=True))
    return Nonnegative(found.xreplace(renamed), Reference(lemma.module, lemma.title), lemma.name, *used_at)


def _key(other):
    return other.family if isinstance(other, Entry) else other


def _is_defined_by(family, keys):
    """Whether the definition of a family uses one of these numbers and families, itself or through other definitions."""
    if family.definition is None:
        return False
    used = family.definition.atoms(sympy.Symbol, Family)
    return bool(used & keys) or any(_is_defined_by(other, keys) for other in used if isinstance(other, Family))


def spoken_of(expressions):
    """Every family, number and function in the expressions that a reader must know; indices are among them."""
    found = set()
    for expression in expressions:
        found |= expression.atoms(sympy.Symbol, Family)
        found |= {part.letter for part in expression.atoms(UnspecifiedFunction)}
    return found


def lemmas_in(expressions):
    """References to the lemmas with instances in the expressions."""
    nodes = set().union(*(expression.atoms(Nonnegative) for expression in expressions))
    return tuple(sorted({node.reference for node in nodes}, key=lambda reference: (reference.title, reference.module)))
