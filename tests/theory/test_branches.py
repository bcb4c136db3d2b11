"""A bridge draws until every branch of its expression has been taken, and refuses one that no number takes."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy

from tests.theory.test_bridges import recorded, result_of
from tests.theory.test_chains import Toy
from theory_jax.derivation import bridges
from theory_jax.derivation.branches import Branch, points_of, taken

x, y = sympy.symbols("x y", real=True)
# Each: an expression of a number between 0.2 and 2, one branch of which begins at 1.98; and code that does not know that branch.
RARE = {
    "a maximum": (lambda a: sympy.Max(a, 3 * a - 3.96), lambda x: x),
    "a minimum": (lambda a: sympy.Min(a, 1.98), lambda x: x),
    "an absolute value": (lambda a: sympy.Abs(a - 1.98), lambda x: 1.98 - x),
    "a sign": (lambda a: sympy.sign(a - 1.98) * a, lambda x: -x),
    "cases": (lambda a: sympy.Piecewise((0, a > 1.98), (a, True)), lambda x: x),
}


@pytest.mark.parametrize("case", RARE)
def test_code_that_does_not_know_a_rare_branch_is_seen(case, monkeypatch):
    """Five draws alone do not see it."""
    toy = Toy()
    expression, wrong = RARE[case]
    right, _ = recorded(sympy.lambdify(x, expression(x), "jax"))
    assert result_of(toy, expression(toy.a), right, x=toy.a).words.startswith("the code agrees at 6 random points, ")
    assert "at 6 random points" in result_of(toy, expression(toy.a), recorded(wrong)[0], x=toy.a).error
    monkeypatch.setattr(bridges, "taken", lambda expressions, values: {})
    assert result_of(toy, expression(toy.a), recorded(wrong)[0], x=toy.a).passed


def test_a_branch_that_no_number_takes_is_refused():
    toy = Toy()
    result = result_of(toy, sympy.Min(toy.a, 2.5), recorded(lambda x: jnp.minimum(x, 2.5))[0], x=toy.a)
    assert not result.passed and "no random point takes branch 1 of 2 of Min(2.5, a)" in result.error


def test_a_branch_is_taken_where_no_other_leaves_it_out():
    """|x| in max(|x|, y) is not seen where y is larger."""
    at = taken([sympy.Max(sympy.Abs(x), y), sympy.Max(2, 1)], {x: np.array([1.0, -2.0, -2.0]), y: np.array([0.0, 3.0, 1.0])})
    assert at.pop(Branch(sympy.Abs(x), 0)).tolist() == [True, False, False]
    assert at.pop(Branch(sympy.Abs(x), 1)).tolist() == [False, False, True]
    assert sorted(where.tolist() for where in at.values()) == [[False, True, False], [True, False, True]]


def test_a_point_that_takes_several_branches_is_drawn_once():
    branches = [Branch(sympy.Abs(x), 1), Branch(sympy.Abs(y), 1)]
    at = taken([abs(x) + abs(y)], {x: np.array([1.0, -1.0, -1.0]), y: np.array([1.0, 1.0, -1.0])})
    assert points_of(branches, at) == [1, 2] and points_of(reversed(branches), at) == [2]
