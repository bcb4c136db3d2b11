"""Exercises of the lecture: Langevin sampling: a random walk that has a given distribution, and the price of its steps."""

import math

import jax.numpy as jnp
from sympy import Rational, Symbol

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.langevin import gaussian_stationary_variance, langevin_step
from theory_jax.lectures.energy.langevin import T, derivation, h, settled, u, v


@derivation.exercise(
    "How long may a step be, if the variance may be 1% too large?",
    prose(
        "Its excess over 1 is {share} at {place}, so the step is $2v/101$, or 0.0198 $v$: an excess of 0.01.",
        share=holds(u / (1 - u), "=", Rational(1, 100), named=True),
        place=where(u, Rational(1, 101)),
    ),
    level="easy",
    hint="Write the step as a share of the largest stable one.",
)
def one_percent():
    yield gaussian_stationary_variance(jnp.ones(()), step_size=2 / 101) - 1, "0.01"
    yield 2 / 101, "0.0198"


@derivation.exercise(
    "A distribution in the plane has the variances 1 and 100, and the step is 1. After how many steps has the mean of the slow "
    "coordinate fallen by the factor $e$?",
    r"Each multiplies it by $1 - \frac{1}{100}$, so after $-1 / \log 0.99$ steps, which is 99.5.",
    level="easy",
    hint="Each coordinate has its own factor, which the page has for a parabola.",
)
def slow_coordinate():
    yield -1 / math.log(1 - 1 / 100), "99.5"


@derivation.exercise(
    r"What is the step at the temperature 0, and where does it go on the energy $x^2/(2v)$? Evaluate one step of $3v$ from 1.",
    prose(
        "Gradient descent. Each step multiplies the state by $1 - h/v$: to 0 for steps shorter than $2v$, and away from it for "
        "longer ones. With {step} the factor is {factor}: from 1 to -2.",
        step=where(h, 3 * v),
        factor=holds(1 - h / v, "=", -2, named=True),
    ),
    level="medium",
    hint="Leave out the noise, and write the slope of the energy into the step.",
)
def without_temperature():
    cold = langevin_step(jnp.ones(1), jnp.ones(1), lambda x: x**2 / 4, step_size=6.0, temperature=0.0)
    yield cold[0], "-2"


@derivation.exercise(
    r"Code adds $\sqrt{h}\, \xi$ in place of $\sqrt{2h}\, \xi$. On which variance does it settle for a standard normal target "
    "and the step 0.5, and what does it sample if its steps are very short?",
    "On two thirds, 0.6667, in place of 1.3333. For very short steps it samples the variance 0.5: the distribution at half the "
    "temperature, sharper than the target, but with its modes at the same points. Pictures of such samples look good, and hide "
    "the error.",
    level="medium",
    hint="Which temperature has this noise?",
)
def the_two_forgotten():
    cold = {T: Rational(1, 2), v: 1}
    yield value(settled, cold | {h: 0.5}), "0.6667"
    yield value(settled, cold | {T: 1, h: 0.5}), "1.3333"
    variance = 1.0
    for _ in range(60):
        variance = (1 - 0.5) ** 2 * variance + 0.5
    yield variance, "0.6667"
    yield value(settled, cold | {h: 1e-9}), "0.5"


@derivation.exercise(
    "Two chains sample a standard normal target, one with the step $h$ and one with half of it. Which combination of their "
    "variances has no bias of the first order, and what is left at the step 0.1?",
    r"Twice that of the short step less that of the long one: the bias is $-\frac18 h^2$ to the second order. At 0.1 the "
    "combination is 0.99865, where the two chains have 1.0526 and 1.0256.",
    level="hard",
    hint="The biases of the first order are in the ratio of the steps; this is Richardson's extrapolation.",
)
def two_steps_combined():
    length = Symbol("h")
    combined = 2 / (1 - length / 4) - 1 / (1 - length / 2)
    yield combined.diff(length).subs(length, 0), Rational(0)
    yield combined.diff(length, 2).subs(length, 0) / 2, -Rational(1, 8)
    long, short = (gaussian_stationary_variance(jnp.ones(()), step_size=step) for step in (0.1, 0.05))
    yield 2 * short - long, "0.99865"
    yield long, "1.0526"
    yield short, "1.0256"
