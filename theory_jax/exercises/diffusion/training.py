"""Exercises of the lecture: Training a DDPM: levels at random, weights on average."""

import sympy
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.diffusion.training import F, P, V, a, c, d, derivation, q, r


@derivation.exercise(
    r"What is the floor of the mean loss for data $\mathcal{N}(0, 1)$ and two levels with the shares 0.81 and 0.5184 of signal?",
    prose(
        "With {one} the floor of a level is {share}; the mean is 0.6642.",
        one=where(c, 1),
        share=holds(a * c / V, "=", a, named=True),
    ),
)
def a_floor():
    yield (value(a * c / V, {a: 0.81, c: 1}) + value(a * c / V, {a: 0.5184, c: 1})) / 2, "0.6642"


@derivation.exercise(
    prose(
        "When does the ramp reach {decay}, and with which mean age? What is the mean age of this decay if it is constant?",
        decay=where(d, Rational(199, 200)),
    ),
    prose(
        "After {steps} steps, with the mean age 179. That of the constant decay is {age}.",
        steps=holds(9 / (1 - d) - 10, "=", 1790, named=True),
        age=holds(d / (1 - d), "=", 199, named=True),
    ),
)
def the_ramp():
    yield 9 / 0.005 - 10, "1790"
    yield (9 / 0.005 - 10) / 10, "179"
    yield 0.995 / (1 - 0.995), "199"


@derivation.exercise(
    r"Which decay brings the variance of the average to a tenth, if the iterates forget at once?",
    prose(
        "{decay}, or 0.8182: {kept}, which is 0.1.",
        decay=where(d, Rational(9, 11)),
        kept=holds((1 - d) / (1 + d), "=", Rational(1, 10)),
    ),
)
def a_tenth():
    yield 9 / 11, "0.8182"
    yield value(F / P, {r: 0, d: sympy.Rational(9, 11), q: 1}), "0.1"
