"""Mutants of a derivation: small errors in place of the printed formulas, and whether the engine rejects them.

An expression is changed at one place (a number by a tenth, an exponent by one, a sign, a term or a factor left out, a ratio
turned over, arguments swapped); a step's Python is changed in the same ways where it computes what is compared; a relation in a
text also has its sign turned, and a text loses a condition. A mutant that raises is refused, as is a mutant that does not end:
SymPy's limits and integrals run forever on some expressions. (The limit is a signal of the system; Windows has none.)

Some mutants are no mistakes and are left out: those equal to the original; those of a step that change both sides, which
still agree, because the claim holds at other numbers, too; changes of the points at which a bound is tried; and those of a lemma
about one number (Valley): its only expression is the claim, and a proved mutant is another true lemma.
"""

import ast
import inspect
import operator
import signal
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np
import sympy

from theory_jax.derivation.bridges import Bridge, leaves, with_leaf
from theory_jax.derivation.chains import Chain
from theory_jax.derivation.kinds import KINDS, BoundSides
from theory_jax.derivation.lecture import Derivation, Step
from theory_jax.derivation.notation import Divergence, Entry, Family, Normal
from theory_jax.derivation.prose import ground_of, texts
from theory_jax.derivation.references import Nonnegative
from theory_jax.derivation.typeset import latex

SLIP = sympy.Rational(11, 10)
ENOUGH = 0.98  # of the mutants of every lecture must be refused,
ENOUGH_OF_TEXTS = 0.9  # and of those of its texts
EQUAL = 1e-12  # relative: numbers this close are taken for the original's
TURNED = {"<=": ">", ">=": "<", "<": ">=", ">": "<=", "=": "!=", "!=": "="}  # the signs of relations in texts
SECONDS = 20  # that the check of one mutant may take; a whole derivation takes 2


class TooLong(BaseException):
    """A mutant's check has taken its time. No Exception: SymPy handles some of those and would go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooLong after this many seconds."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    outer = signal.setitimer(signal.ITIMER_REAL, seconds)  # a limit that the caller has set
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)


class Mutant(NamedTuple):
    """One change: the part, the old and new expression, whether it was rejected, and whether it is of a text."""

    part: object
    change: str
    refused: bool
    of_text: bool = False

    @property
    def name(self):
        """The part's title, or the step's name."""
        return getattr(self.part, "title", "") or getattr(self.part, "name", "") or type(self.part).__name__.lower()


def mutants(derivation: Derivation) -> Iterator[Mutant]:
    """Every mutant of every chain, bridge, step and relation in a text that is a mistake."""
    for part in (derivation, *derivation.parts):
        yield from _of_texts(part, derivation)
        if isinstance(part, Chain):
            yield from _of_chain(part, derivation)
        elif isinstance(part, Bridge):
            for k, leaf in enumerate(leaves((part.expression,))):

                def changed_bridge(leaf, part=part, k=k):
                    return replace(part, expression=with_leaf((part.expression,), k, leaf)[0])

                yield from _of_expression(part, leaf, changed_bridge, derivation)
        elif isinstance(part, Step):
            yield from _of_step(part)


# ---------------------------------------------------------------------------------------------------- expressions


def _of_chain(chain, setting):
    """Mutants of every line, each checked against the line above alone."""
    above = chain.start
    for line in chain.lines:

        def alone(expression, above=above, line=line):
            return replace(chain, start=above, lines=(replace(line, expression=expression, wrong={}),))

        yield from _of_expression(chain, line.expression, alone, setting)
        above = line.expression


def _of_expression(part, expression, with_mutant, setting):
    for mutant in dict.fromkeys(changed(expression)):
        ground = ground_of(part, setting)
        if not _within_time(lambda ground=ground, mutant=mutant: bool(ground.differs(expression - mutant))):
            continue  # equal; what cannot be expanded, or is finite nowhere, is not
        yield Mutant(part, f"{latex(expression)}  ->  {latex(mutant)}", _is_refused(with_mutant(mutant), setting))


def _is_refused(part, setting):
    return _within_time(lambda: not all(verdict.passed for verdict in part.execute(setting.between, setting.sizes)))


def _within_time(check):
    """What the check returns; True if it raises anything or does not end: the mutant is noticed."""
    try:
        with time_limit(SECONDS):
            return check()
    except (Exception, TooLong):
        return True


def changed(expression) -> Iterator[sympy.Expr]:
    """The expression, changed at one place. Instances of lemmas and names are left as they are."""
    if isinstance(expression, sympy.MatrixBase):
        for k, part in enumerate(expression):
            for mutant in changed(part):
                entries = list(expression)
                entries[k] = mutant
                yield sympy.ImmutableMatrix(*expression.shape, entries)
        return
    if isinstance(expression, Entry | Nonnegative | sympy.Symbol):
        return
    if expression.is_Number and expression.is_finite and expression not in (0, 1, -1):
        yield expression * SLIP
    parts = expression.args
    if expression.is_Add:
        for k, term in enumerate(parts):
            others = [*parts[:k], *parts[k + 1 :]]
            yield sympy.Add(*others)
            yield sympy.Add(*others, -term)
    if expression.is_Mul:
        for k, factor in enumerate(parts):
            if factor != -1:
                yield sympy.Mul(*parts[:k], *parts[k + 1 :])
        below = [part for part in parts if part.is_Pow and part.exp == -1]
        if below:
            yield 1 / expression
    if isinstance(expression, Divergence):
        yield Divergence(*reversed(parts))
    if expression.is_Pow and parts[1].is_Integer and parts[1] > 1:
        yield sympy.Pow(parts[0], parts[1] + 1)
    if isinstance(expression, Normal | Family) or not parts:
        return
    for k, part in enumerate(parts):
        if expression.is_Pow and k == 1 and part.is_Number or not isinstance(part, sympy.Expr) or isinstance(part, Normal):
            continue
        for mutant in changed(part):
            try:
                whole = expression.func(*parts[:k], mutant, *parts[k + 1 :])
            except TypeError:  # SymPy compares what is not a number: log(cosh(x/(1 - 1)))
                continue
            yield whole


# ---------------------------------------------------------------------------------------------------- texts


def _of_texts(part, setting):
    """Mutants of the relations in a part's texts, of their conditions, and of its places of equality."""
    for text, given, dropped in texts(part):
        ground = ground_of(part, setting)
        under = ground.under(given | text.conditions)
        for symbol, value in text.conditions.items() if text.relations and dropped == 0 else ():
            fewer = ground.under(given | {other: text.conditions[other] for other in text.conditions if other != symbol})
            refused = _within_time(lambda fewer=fewer, text=text: not all(r.execute(fewer).passed for r in text.relations))
            yield Mutant(part, f"without ${latex(symbol)} = {latex(value)}$", refused, of_text=True)
        for relation in text.relations:
            for mutant in _changed_relations(relation, under.under(relation.when)):
                refused = _within_time(lambda mutant=mutant, under=under: not mutant.execute(under).passed)
                yield Mutant(part, f"${relation.latex}$  ->  ${mutant.latex}$", refused, of_text=True)
        for symbol, value in text.conditions.items() if dropped != 0 else ():
            for new in dict.fromkeys(changed(value)):
                moved = ground.under(text.conditions | {symbol: new})
                if ground.differs(new - value):
                    refused = _within_time(lambda moved=moved, dropped=dropped: bool(moved.differs(dropped)))
                    yield Mutant(part, f"at ${latex(symbol)} = {latex(value)}$  ->  ${latex(new)}$", refused, of_text=True)


def _changed_relations(relation, ground):
    """The relation with another sign; an equation also with another side. With another side an inequality may be as true."""
    yield replace(relation, sign=TURNED[relation.sign], wrong={})
    for side in ("left", "right") if relation.sign == "=" else ():
        expression = getattr(relation, side)
        for mutant in dict.fromkeys(changed(expression)):
            if _within_time(lambda mutant=mutant, expression=expression: bool(ground.differs(expression - mutant))):
                yield replace(relation, **{side: mutant}, wrong={})


# ---------------------------------------------------------------------------------------------------- steps


def _of_step(step):
    """Mutants of the Python that computes one side of what the step compares."""
    function = ast.parse(textwrap.dedent(inspect.getsource(step.body))).body[0]
    function.decorator_list = []
    original = _routes(step.body())
    for mutant, change in _changed_bodies(function):
        namespace = dict(step.body.__globals__)
        exec(compile(ast.fix_missing_locations(ast.Module([mutant], [])), "<mutant>", "exec"), namespace)
        try:
            with time_limit(SECONDS):
                with np.errstate(all="ignore"):
                    returned = namespace[function.name]()
                    routes = _routes(returned)
                moved = [not _same(new, old) for new, old in zip(routes, original, strict=True)]
                if not any(moved):
                    continue
                residual = KINDS[step.kind](replace(step, body=namespace[function.name]), returned)[0]
            refused = residual is None or residual > step.tolerance
            if all(moved) and not refused:
                continue
        except (Exception, TooLong):  # noticed
            refused = True
        yield Mutant(step, change, refused)


def _changed_bodies(function):
    """Copies of the function, each changed at one node of the compared expressions."""
    for node in _compared(function):
        for words, new in _changed_nodes(node):
            yield _with(function, node, new), f"{ast.unparse(node)}  ->  {words}"


def _compared(function):
    """The nodes of the returned sides, and of the names that one side alone is made of; those of functions that are returned.

    Where a bound is tried (points, tight) is no side.
    """
    returned = next((node.value for node in reversed(function.body) if isinstance(node, ast.Return)), None)
    if not isinstance(returned, ast.Call):
        return
    sides = [keyword.value for keyword in returned.keywords if keyword.arg not in ("points", "tight", "wrong")]
    names = [{n.id for n in ast.walk(side) if isinstance(n, ast.Name)} for side in sides]
    alone = reduce(operator.xor, names)
    for side in sides:
        yield from ast.walk(side)
    for statement in function.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and statement.targets[0].id in alone:
            yield from ast.walk(statement.value)
        if isinstance(statement, ast.FunctionDef) and statement.name in alone:
            for inner in statement.body:
                yield from ast.walk(inner)


def _changed_nodes(node):
    match node:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=float() as number) if number:
            yield f"{number * 1.1:g}", ast.Constant(number * 1.1)
        case ast.BinOp(op=ast.Add()):
            yield "-", ast.BinOp(node.left, ast.Sub(), node.right)
            yield "first term alone", node.left
        case ast.BinOp(op=ast.Sub()):
            yield "+", ast.BinOp(node.left, ast.Add(), node.right)
            yield "first term alone", node.left
        case ast.BinOp(op=ast.Mult()):
            yield "first factor alone", node.left
            yield "/", ast.BinOp(node.left, ast.Div(), node.right)
        case ast.BinOp(op=ast.Div()):
            yield "*", ast.BinOp(node.left, ast.Mult(), node.right)
            yield "turned over", ast.BinOp(node.right, ast.Div(), node.left)
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int() as power)):
            yield f"power {power + 1}", ast.BinOp(node.left, ast.Pow(), ast.Constant(power + 1))
        case ast.UnaryOp(op=ast.USub()):
            yield "without its sign", node.operand
        case ast.Call(args=[first, second, *rest], keywords=keywords):
            yield "arguments swapped", ast.Call(node.func, [second, first, *rest], keywords)


def _with(function, node, new):
    """A copy of the function in which one node is another."""

    def copied(part):
        if part is node:
            return copied(new) if new is not node else new
        if isinstance(part, ast.AST):
            return type(part)(**{name: copied(value) for name, value in ast.iter_fields(part)})
        return [copied(item) for item in part] if isinstance(part, list) else part

    return copied(function)


def _routes(returned):
    """The two sides that are compared; of a bound at all of its places, those at which it is tight among them."""
    if isinstance(returned, BoundSides):
        return tuple(zip(returned.sides(*returned.points), returned.sides(*returned.tight), strict=True))
    return returned[:2]


def _same(returned, original):
    """Whether one side of a mutant is that of the original, to rounding."""
    if isinstance(original, tuple):
        return len(returned) == len(original) and all(_same(a, b) for a, b in zip(returned, original, strict=True))
    if isinstance(original, sympy.Basic | sympy.MatrixBase | list):
        return type(returned) is type(original) and returned == original
    a, b = np.asarray(returned), np.asarray(original)
    return a.shape == b.shape and np.allclose(a, b, rtol=EQUAL, atol=0.0, equal_nan=True)
