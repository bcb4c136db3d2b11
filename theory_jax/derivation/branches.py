"""Branches of expressions: which case of a Piecewise, argument of a maximum, or sign of an absolute value is taken at a point."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import sympy

from theory_jax.derivation.kinds import require
from theory_jax.derivation.points import evaluate

SIGNED = (sympy.Abs, sympy.sign, sympy.Heaviside)
KINDS = (sympy.Piecewise, sympy.Max, sympy.Min, *SIGNED)


class Branch(NamedTuple):
    """The part of an expression that has branches, and the number of one of them."""

    part: sympy.Expr
    number: int


def taken(expressions: Iterable[sympy.Expr], values: Mapping[sympy.Symbol, np.ndarray]) -> dict[Branch, np.ndarray]:
    """At which of the points each branch is taken, and no branch around it leaves its part out: [points]."""
    found = {}
    for expression in expressions:
        if expression.free_symbols:
            _walk(expression, values, np.ones(len(next(iter(values.values()))), bool), found)
    return found


def points_of(branches: Iterable[Branch], at: Mapping[Branch, np.ndarray]) -> list[int]:
    """The numbers of points that take these branches, at most one for each; Refused if none takes one."""
    chosen = []
    for branch in branches:
        where = f"branch {branch.number + 1} of {_count(branch.part)} of {branch.part}"
        require(at[branch].any(), f"no random point takes {where}: change the numbers' ranges")
        if not at[branch][chosen].any():
            chosen.append(int(np.argmax(at[branch])))
    return chosen


def _walk(part, values, used, found):
    """Adds the branches of a part that matters at the points `used`."""
    if not (part.has(*KINDS) and part.free_symbols):
        return
    if not isinstance(part, KINDS):
        for inner in part.args:
            _walk(inner, values, used, found)
        return
    for number, takes in enumerate(_takes(part, values)):
        here = used & takes
        branch = Branch(part, number)
        found[branch] = found.get(branch, False) | here
        if not isinstance(part, SIGNED):
            _walk(_case(part, number), values, here, found)
    if isinstance(part, SIGNED):
        _walk(part.args[0], values, used, found)


def _case(part, number):
    return part.args[number].expr if isinstance(part, sympy.Piecewise) else part.args[number]


def _count(part):
    return 2 if isinstance(part, SIGNED) else len(part.args)


def _takes(part, values):
    """Whether a point takes each branch: [branches, points]. Of a maximum, all arguments that are as large as the largest."""
    count = len(next(iter(values.values())))

    def at(expression):
        return np.array(evaluate(expression, values, count))

    if isinstance(part, SIGNED):
        negative = at(part.args[0]) < 0
        return np.array([~negative, negative])
    if isinstance(part, sympy.Piecewise):
        holds = np.array([at(case.cond) == 1 for case in part.args])
        return holds & (np.cumsum(holds, axis=0) == 1)  # the first case that holds
    rows = np.array([at(argument) for argument in part.args])
    return rows == (rows.min(axis=0) if isinstance(part, sympy.Min) else rows.max(axis=0))
