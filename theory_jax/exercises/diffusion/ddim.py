"""Exercises of the lecture: Denoising diffusion implicit models: the same training, other samplers."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.ddim import ddim_sigma, ddim_step, non_markovian_mean
from theory_jax.lectures.diffusion._ddim import noise_of_gaussian, walk
from theory_jax.lectures.diffusion.ddim import (
    _LEVELS,
    _ONE,
    _TWO,
    A,
    V_t,
    _given,
    a_s,
    a_t,
    after,
    c,
    derivation,
    eta,
    factor,
    kept,
    level,
    sigma,
    x_t,
)


@derivation.exercise(
    r"What are $\sigma_\eta$, $A$ and $B$ for a step to level 0?",
    prose(
        "There {clean}, so {deviation}, {data} and $B$ is 0 for every $\\eta$: the step returns $\\hat x_0$.",
        clean=where(a_s, 1),
        deviation=holds(sigma, "=", 0),
        data=holds(A, "=", 1),
    ),
    level="easy",
    hint="Level 0 is the data: its share of noise is 0.",
)
def the_last_step():
    zero, x = np.zeros(1, dtype=int), jnp.array([1.7])
    yield ddim_sigma(_TWO, zero, _LEVELS, eta=0.6)[0], "0"
    yield non_markovian_mean(jnp.ones(1), x, _TWO, zero, _LEVELS, eta=0.6)[0], "1"


@derivation.exercise(
    r"How large may $\eta$ be for the step of the example, and what happens there?",
    prose(
        r"$\sigma_\eta^2$ must not exceed $1 - \bar\alpha_s$. It reaches that for {largest}, in the example at 1.1566, where "
        r"{all}. There $B$ is 0: $x_1$ forgets $x_2$ and is drawn anew around $0.9\, \hat x_0$.",
        largest=where(eta, sqrt((1 - a_t) / (1 - kept))),
        all=holds(sigma**2, "=", 1 - a_s),
    ),
    level="medium",
    hint="The mean contains the root of what the new noise leaves of the variance; when is that 0?",
)
def the_most_random_step():
    largest = math.sqrt(0.4816 / 0.36)
    yield largest, "1.1566"
    yield non_markovian_mean(jnp.ones(1), jnp.array([5.0]), _TWO, _ONE, _LEVELS, eta=largest * (1 - 1e-15))[0], "0.9"


@derivation.exercise(
    r"A sampler takes a single step from $T$ to 0, with the best prediction. What does it draw as $\bar\alpha_T$ goes to 0? "
    r"Which variance for data $\mathcal{N}(0, \frac14)$ and a share of 0.01?",
    prose(
        "It draws the mean of the data given $x_T$, and as $x_T$ tells less and less, the mean of all data: the step loses the "
        "whole variance, by the chain on moments with the weight 1 of the data. For Gaussian data the variance is {left}, here "
        "0.00063 in the place of 0.25.",
        left=holds(Expectation(Normal(x_t, 0, V_t), (sqrt(a_t) * c * x_t / V_t) ** 2), "=", a_t * c**2 / V_t, named=True),
    ),
    level="hard",
    hint="With the best prediction, the step to level 0 returns the conditional mean; what is its variance?",
)
def one_step():
    deviation = jnp.array([math.sqrt(0.9925)])
    yield walk(deviation, noise_of_gaussian, jnp.array([1.0, 0.01]))[-1, 0] ** 2, "0.00063"


@derivation.exercise(
    r"In the example, without new noise, the network's noise is 0.6 at $x_2$ of 1 instead of 0.5. By how much does $x_1$ change, "
    r"and by how much $\hat x_0$?",
    r"The value $x_1$ falls by 0.0432, and $\hat x_0$ by 0.0964: the step also adds some of the wrong noise, which takes half of "
    "the error back.",
    level="easy",
    hint="Both are linear in the prediction; only its factor is needed.",
)
def a_wrong_noise():
    x, none = jnp.ones(1), jnp.zeros(1)
    right, wrong = (ddim_step(x, jnp.full(1, e), none, _TWO, _ONE, _LEVELS, eta=0.0)[0] for e in (0.5, 0.6))
    yield right - wrong, "0.0432"
    yield 0.1 * value(sqrt(1 - a_t) / sqrt(a_t), _given), "0.0964"


@derivation.exercise(
    r"To edit a picture one first runs the sampler without noise upward, from level 1 to 2, and then down again. Data are "
    r"$\mathcal{N}(0, \frac14)$ and the prediction is the best one; the two levels are those of the example. By what is a value "
    "multiplied on the way up and back, and by what with the exact flow?",
    r"By 0.8994: the two factors of Euler's method are $(c + \varsigma \varsigma')/(c + \varsigma^2)$ and the same with the "
    r"levels exchanged, and their product falls short of 1 by $c (\varsigma - \varsigma')^2$ over both variances. The exact flow "
    "returns to where it started: its factor is 1. Shorter steps make the loss smaller, since it is of second order.",
    level="hard",
    hint="The upward step uses the prediction at the value where it starts, not at the one where it ends.",
)
def up_and_down():
    low, high = sqrt(Rational(19, 81)), sqrt(Rational(4816, 5184))
    quarter = Rational(1, 4)
    up, down = (value(factor, {c: quarter, level: here, after: there}) for here, there in ((low, high), (high, low)))
    yield up * down, "0.8994"
    both = derivation.ground().expand(factor)
    both *= both.subs({level: after, after: level}, simultaneous=True)
    yield both, 1 - c * (level - after) ** 2 / ((c + level**2) * (c + after**2))
