"""Exercises of the lecture: Langevin sampling: a random walk that has a given distribution, and the price of its steps."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.langevin import gaussian_stationary_variance, langevin_step
from theory_jax.lectures.energy.langevin import derivation, h, u, v


@derivation.exercise(
    r"What is the step at the temperature 0, and where does it go on the energy $x^2/(2v)$? Evaluate one step of $3v$ from 1.",
    prose(
        "Gradient descent. Each step multiplies the state by $1 - h/v$: to 0 for steps shorter than $2v$, and away from it for "
        "longer ones. With {step} the factor is {factor}: from 1 to -2.",
        step=where(h, 3 * v),
        factor=holds(1 - h / v, "=", -2, named=True),
    ),
)
def without_temperature():
    cold = langevin_step(jnp.ones(1), jnp.ones(1), lambda x: x**2 / 4, step_size=6.0, temperature=0.0)
    yield cold[0], "-2"


@derivation.exercise(
    "How long may a step be, if the variance may be 1% too large?",
    prose(
        "Its excess over 1 is {share} at {place}, so the step is $2v/101$, or 0.0198 $v$: an excess of 0.01.",
        share=holds(u / (1 - u), "=", Rational(1, 100), named=True),
        place=where(u, Rational(1, 101)),
    ),
)
def one_percent():
    yield gaussian_stationary_variance(jnp.ones(()), step_size=2 / 101) - 1, "0.01"
    yield 2 / 101, "0.0198"


@derivation.exercise(
    "A distribution in the plane has the variances 1 and 100, and the step is 1. After how many steps has the mean of the slow "
    "coordinate fallen by the factor $e$?",
    r"Each multiplies it by $1 - \frac{1}{100}$, so after $-1 / \log 0.99$ steps, which is 99.5.",
)
def slow_coordinate():
    yield -1 / math.log(1 - 1 / 100), "99.5"
