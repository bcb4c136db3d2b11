"""The ground of chains: bounded numbers, lemmas about conditional laws, and sums inside sums."""

import sympy

from theory_jax.derivation.ground import Ground
from theory_jax.derivation.notation import Entry, Expectation, Family, Index, plus
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
