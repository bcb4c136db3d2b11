"""Exercises of the lecture: Bellman's equations: the value of a policy, and the best value of all."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._sweeps import EVEN, solved, swept
from theory_jax.lectures.reinforcement.markov_decision import V_0, V_1, alpha, beta, derivation, det, gamma, rho_0, rho_1

_far = {alpha: Rational(1, 2), beta: Rational(1, 2), rho_0: 0, rho_1: Rational(1, 2), gamma: Rational(9, 10)}


@derivation.exercise(
    "What is the even policy worth in the example at a discount of 0.9?",
    prose(
        "{det}, {first} and {second}, or (2.25, 2.75).",
        det=holds(det, "=", Rational(1, 10), when=_far),
        first=holds(V_0, "=", Rational(9, 4), when=_far),
        second=holds(V_1, "=", Rational(11, 4), when=_far),
    ),
)
def a_farther_horizon():
    yield solved(EVEN, 0.9), "(2.25, 2.75)"


@derivation.exercise(
    "How many sweeps from zero bring the example's values within 0.01 of the best ones?",
    r"The error after $k$ sweeps is $2^{1-k}$, which is exactly the bound. It is 0.015625 after 7 sweeps and 0.0078125 after 8.",
)
def enough_sweeps():
    for number, said in ((7, "0.015625"), (8, "0.0078125")):
        yield jnp.max(jnp.abs(swept(jnp.zeros(2), number) - jnp.array([1.0, 2.0]))), said


@derivation.exercise(
    "A sweep can bring two values closer by more than the discount. Find two different values in the example that one sweep "
    "makes equal.",
    r"$(0, 3)$ and $(1, 3)$: one sweep takes both to $(1.5, 2.5)$, since state 0 looks at state 1 only.",
)
def two_become_one():
    yield swept(jnp.array([0.0, 3.0])), "(1.5, 2.5)"
    yield swept(jnp.array([1.0, 3.0])) - jnp.array([1.5, 2.5]) + jnp.array([1.0, 3.0]), "(1, 3)"
