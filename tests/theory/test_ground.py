"""The ground of chains: bounded numbers, lemmas about conditional laws, sums inside sums, and values at random points."""

import math

import numpy as np
import pytest
import sympy

from theory_jax.derivation.ground import Ground
from theory_jax.derivation.notation import Entry, Expectation, Family, Index, plus
from theory_jax.derivation.points import Generator, evaluate
from theory_jax.derivation.typeset import latex
from theory_jax.lectures.lemmas.gibbs import gibbs


def test_logarithms_of_bounded_numbers_split():
    a, c = sympy.Symbol("a", positive=True), sympy.Symbol("c", positive=True)
    total = 1 + a * (c - 1)
    claim = sympy.log(c / total) - sympy.log(c) + sympy.log(total)
    assert Ground(between={a: (sympy.Integer(0), sympy.Integer(1))}).vanishes(claim)
    assert not Ground(between={a: (sympy.Integer(0), sympy.Integer(3))}).vanishes(claim + sympy.log(2))


def test_a_lemma_about_laws_holds_for_conditional_ones():
    x, y = Index("x"), Index("y")
    q, p = (Entry(Family(name, (x, y), positive=True, law=True), x, y) for name in ("q({}|{})", "p({}|{})"))
    averaged = Expectation(Entry(Family("r", (y,), positive=True, law=True), y), gibbs.at(q, p))
    assert latex(gibbs.at(q, p)) == r"\mathrm{KL}\left(q(x|y) \,\|\, p(x|y)\right)"
    assert Ground(states=2).never_negative(averaged)
    assert not Ground(states=2).differs(gibbs.at(q, p) - Expectation(q, sympy.log(q / p)))


def test_a_sum_inside_a_sum_keeps_its_sign():
    a = sympy.Symbol("a")
    assert latex(plus(a**2, 1 - a)) == r"a^{2} + \left(1 - a\right)"


def test_another_value_of_a_number_is_inside_its_interval_also_for_the_ends():
    t = sympy.Symbol("t", positive=True)
    ground = Ground(between={t: (0, sympy.Integer(1))})
    assert [ground.elsewhere(t, sympy.Rational(end, 2)) for end in (0, 1, 2)] == [sympy.Rational(k, 4) for k in (2, 3, 2)]


@pytest.mark.parametrize("seed", [0, 1, 2**31 + 5])
def test_the_random_points_are_numpys(seed):
    ours, numpys = Generator(seed), np.random.default_rng(seed)
    for count in (8, 5, 13):
        assert ours.uniform(0.2, 2.0, count) == numpys.uniform(0.2, 2.0, count).tolist()
        assert [(-1.0, 1.0)[k] for k in ours.integers(0, 2, count)] == numpys.choice((-1.0, 1.0), count).tolist()
        assert ours.integers(1, 6, count) == numpys.integers(1, 6, count).tolist()


X = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("expression", "reference"),
    [
        (sympy.log(X), np.log),
        (sympy.exp(400 * X) - 1, lambda x: np.exp(400 * x) - 1),
        (X ** sympy.Rational(1, 3), lambda x: np.power(x, 1 / 3)),
        (1 / X, lambda x: 1 / x),
        (X**-3, lambda x: x**-3.0),
        (sympy.Max(X, 1 - X) * sympy.sign(X), lambda x: np.maximum(x, 1 - x) * np.sign(x)),
        (
            sympy.sinh(X) + sympy.tanh(X) * sympy.atan(X) + sympy.floor(X),
            lambda x: np.sinh(x) + np.tanh(x) * np.arctan(x) + np.floor(x),
        ),
        (sympy.erf(X), np.vectorize(math.erf)),
        (sympy.Piecewise((X, X > 0), (-2 * X, True)), lambda x: np.where(x > 0, x, -2 * x)),
    ],
)
def test_values_are_numpys(expression, reference):
    """Also where an expression is infinite, or no number."""
    numbers = [-2.5, -1.0, 0.0, 0.3, 1.0, 3.0]
    with np.errstate(all="ignore"):
        wanted = reference(np.array(numbers))
    np.testing.assert_allclose(evaluate(expression, {X: numbers}, 6), wanted, rtol=1e-14)
