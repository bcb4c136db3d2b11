"""Mutants of a derivation: a strong part refuses all of them, a weak one lets some pass, and equal ones are not counted."""

import json

import jax.numpy as jnp
import pytest
import sympy
from sympy import log

from tests.support.commands.other_derivations import put
from theory_jax.__main__ import main
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.mutation import Mutant, changed, mutants
from theory_jax.derivation.notation import Divergence, Entry, Expectation, Family, Index, plus

X = jnp.array([0.3, 0.7, 2.0])


def toy():
    derivation = Derivation(title="Toy")
    derivation.symbol("a b c d", "letters")
    return derivation


def test_an_expression_is_changed_at_every_place():
    a, b = sympy.symbols("a b", positive=True)
    found = set(changed(2 * a - b**2))
    assert {
        2 * a,
        -(b**2),
        -2 * a - b**2,
        2 * a + b**2,
        sympy.Rational(11, 5) * a - b**2,
        a - b**2,
        2 - b**2,
        2 * a - b**3,
    } <= found
    k = Index("k")
    p, q = (Entry(Family(name, [k], law=True, positive=True), k) for name in "pq")
    assert Divergence(q, p) in set(changed(plus(a, Divergence(p, q)) - a))
    assert 1 / (a / b) in set(changed(a / b))
    assert sympy.ImmutableMatrix([[a, 0]]) in set(changed(sympy.Matrix([[a + b, 0]])))


def test_a_change_that_sympy_cannot_write_is_left_out():
    x, t = sympy.Symbol("x", real=True), sympy.Symbol("t", positive=True)
    found = set(changed(log(sympy.cosh(t * x / (1 - t**2)))))
    assert log(sympy.cosh(x / (1 - t**2))) in found and not any(mutant.has(sympy.nan) for mutant in found)


def test_a_chain_refuses_all_its_mutants():
    derivation = toy()
    k = derivation.index("k", "a state")
    p, q = derivation.law("p", k, "a law"), derivation.law("q", k, "another")
    derivation.chain("KL", Divergence(p, q), equals(Expectation(p, log(p / q)), "definition", wrong={"sign": -Divergence(p, q)}))
    found = list(mutants(derivation))
    assert len(found) >= 3 and all(mutant.refused for mutant in found)
    assert any("frac{q_{k}}{p_{k}}" in mutant.change for mutant in found)


def test_a_weak_step_is_found_out():
    """A comparison within one percent does not notice a constant that is off by a tenth of a percent of the sum."""
    derivation = toy()

    @derivation.numeric("a = b", because="so", tolerance=0.01, since="a test")
    def weak():
        return Sides(left=jnp.sum(X) + 0.001, right=jnp.cumsum(X)[-1])

    @derivation.numeric("c = d", because="so")
    def strong():
        total = jnp.sum(X) * 2.0
        return Sides(left=total, right=X[0] / 0.5 + X[1] / 0.5 + X[2] / 0.5)

    found = list(mutants(derivation))
    survivors = [(mutant.part.name, mutant.change) for mutant in found if not mutant.refused]
    assert survivors and all(name == "weak" for name, _ in survivors)
    assert any("0.0011" in change for _, change in survivors)
    strong_ones = [mutant for mutant in found if mutant.part.name == "strong"]
    assert len(strong_ones) >= 8 and all(mutant.refused for mutant in strong_ones)


def test_a_mutant_that_is_equal_is_not_counted():
    derivation = toy()

    @derivation.numeric("a = b", because="so")
    def symmetric():
        return Sides(left=jnp.dot(X, 2 * X), right=2.0 * jnp.sum(X * X))

    assert not any("swapped" in mutant.change for mutant in mutants(derivation))


def test_a_mutant_that_changes_both_sides_alike_is_not_counted():
    """The numbers at which a claim is tried are no part of it; what is computed from them is."""
    derivation = toy()

    @derivation.numeric("a = b", because="so")
    def at_numbers():
        given = jnp.array([0.5, 3.0])
        squares = given**2
        return Sides(left=jnp.sum(squares) + 0.5, right=given @ given + 0.5)

    changes = {mutant.change: mutant.refused for mutant in mutants(derivation)}
    assert changes and all(changes.values())
    assert not any(words in change for change in changes for words in ("3.0", "3.3"))
    assert "0.5  ->  0.55" in changes and "given ** 2  ->  power 3" in changes


def test_where_a_bound_is_tried_is_not_mutated_and_its_sides_are():
    derivation = toy()

    @derivation.bound("a <= b", because="so")
    def tangent():
        points = jnp.linspace(-2.0, 2.0, 9)

        def sides(x):
            return 1.0 + x, jnp.exp(x)

        return BoundSides(
            sides=sides, points=(points + 0.125,), tight=(jnp.zeros(1),), wrong={"x": lambda x: (3 + x, jnp.exp(x))}
        )

    found = list(mutants(derivation))
    assert not any("linspace" in mutant.change or "0.125" in mutant.change for mutant in found)
    tight = {mutant.change: mutant.refused for mutant in found if mutant.name == "tangent"}
    assert tight["1.0 + x  ->  -"] and tight["1.0  ->  1.1"] and all(tight.values())


def test_a_lemma_about_one_number_has_no_mutants():
    derivation = toy()
    a = derivation.number("a", "a number", positive=True)
    derivation.valley("The tangent", a - 1 - log(a), a, 1, "so", wrong={"half": a / 2 - 1 - log(a)})
    assert list(mutants(derivation)) == []


def test_a_mutant_that_does_not_end_is_refused(monkeypatch):
    """In a second in place of twenty; without the limit this test ends by the suite's own."""
    monkeypatch.setattr("theory_jax.derivation.mutation.SECONDS", 1)
    derivation = toy()

    @derivation.numeric("a = b", because="so")
    def count_down():
        def last():
            n = 27.0
            while n > 1.0:
                n = n - 2.0
            return n

        return Sides(left=last(), right=X[0] / X[0])

    found = {mutant.change: mutant.refused for mutant in mutants(derivation)}
    assert found["n - 2.0  ->  +"]


def test_the_command_lists_what_survives(monkeypatch, capsys):
    derivation = toy()

    @derivation.numeric("a = b", because="so", tolerance=0.01, since="a test")
    def weak():
        return Sides(left=jnp.sum(X) + 0.001, right=jnp.cumsum(X)[-1])

    put(monkeypatch, "foundations/jensen", derivation)
    assert main(["mutate", "jensen"]) == 1
    shown = capsys.readouterr().out
    assert "foundations/jensen: " in shown and "survived in 'weak': 0.001  ->  0.0011" in shown
    assert main(["mutate", "jensen", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    survivors = answer["topics"]["foundations/jensen"]["survivors"]
    assert answer["mutants"] - answer["refused"] == len(survivors) > 0
    assert main(["mutate"]) == 2 and "no topic given" in capsys.readouterr().err


@pytest.mark.parametrize(("survivors", "code"), [(1, 1), (0, 0)])
def test_enough_mutants_of_every_lecture_are_refused(survivors, code, monkeypatch, capsys):
    """One of ten is too many, also if no other lecture has one."""
    for topic, title in {"foundations/jensen": "weak", "latent/elbo": "strong"}.items():
        put(monkeypatch, topic, Derivation(title=title))

    def known(derivation):
        few = survivors if derivation.title == "weak" else 0
        return [Mutant(derivation, "1  ->  2", refused=n >= few) for n in range(10 if derivation.title == "weak" else 990)]

    monkeypatch.setattr("theory_jax.derivation.mutation.mutants", known)
    assert main(["mutate", "jensen", "latent/elbo"]) == code
    assert capsys.readouterr().out.endswith(f"{1000 - survivors} of 1000 refused ({1 - survivors / 1000:.1%})\n")


def test_the_share_of_texts_is_counted_apart(monkeypatch, capsys):
    found = [Mutant(Derivation(title="some"), "1  ->  2", refused=n > 0, of_text=n < 4) for n in range(100)]
    monkeypatch.setattr("theory_jax.derivation.mutation.mutants", lambda derivation: found)
    assert main(["mutate", "jensen"]) == 1, "three of four in texts are too few"
    assert capsys.readouterr().out.endswith("99 of 100 refused (99.0%)\nin texts: 3 of 4 (75.0%)\n")
    assert main(["mutate", "jensen", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["texts"] == {"mutants": 4, "refused": 3}


def test_a_lecture_without_mutants_has_nothing_to_mutate(monkeypatch, capsys):
    """A lemma about one number has one expression, its claim, and every mutant of it that is shown is another true lemma."""
    assert main(["mutate", "lemmas/tangent"]) == 0
    assert capsys.readouterr().out == "lemmas/tangent: nothing to mutate\n"
