"""Exercises of the lecture: Gradients through randomness."""

import math

import jax.numpy as jnp
from scipy.integrate import quad
from sympy import Integer, Rational, exp, integrate, lambdify, log, oo, pi, sqrt, symbols
from sympy import limit as limit_of

from theory_jax.derivation.notation import Expectation, Limit, Slope, Variance, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.lectures.latent._reparameterization import mean_square
from theory_jax.lectures.latent.reparameterization import (
    b,
    derivation,
    draw,
    eps,
    gauss,
    gaussian,
    m,
    rise,
    second_moment,
    standard,
    t,
    v,
    z,
)


@derivation.exercise(
    r"Find the gradient of $\mathbb{E} z^2$ in $m$ and in $v$.",
    prose(
        r"{square}, so it is $2m$ and $e^v$. The path gives $2z$ and $z e^{v/2} \varepsilon$, with these means.",
        square=holds(Expectation(gaussian, z**2), "=", plus(m**2, exp(v))),
    ),
    level="easy",
    hint="Compute the average first; then differentiate it, in each parameter.",
)
def the_gradient_of_a_square():
    ground = derivation.ground()
    yield ground.expand(Slope(Expectation(gaussian, z**2), m)), 2 * m
    yield ground.expand(Expectation(standard, 2 * draw * exp(v / 2) * eps / 2)), exp(v)


@derivation.exercise(
    r"The mean is 1, the log-variance $\log 4$, and the noise is -0.5. What is the sample? What would it be if somebody "
    "multiplied the noise by the variance?",
    "The sample is 0. With the variance for the deviation it would be -1: its distribution would have the variance 16, not 4.",
    level="easy",
    hint="The factor of the noise is a deviation: half of the log-variance goes into the exponent.",
)
def a_sample():
    yield reparameterize(jnp.array([[-0.5]]), jnp.ones((1, 1)), jnp.full((1, 1), math.log(4))), "0"
    yield value(m + exp(v) * eps, {m: 1, v: log(4), eps: Rational(-1, 2)}), "-1"
    yield value(Variance(standard, m + exp(v) * eps), {m: 1, v: log(4)}), "16"


@derivation.exercise(
    "Which constant should be subtracted from $z^2$ at mean and variance 1, and how much variance is left?",
    "The square in $b$ vanishes if 4 is subtracted, not the mean of $z^2$, which is 2. The variance is then 14, still above 4; "
    "with the mean it is 18.",
    level="medium",
    hint="The page has the variance as a square in the baseline, and a rest.",
)
def the_best_baseline():
    variance = Variance(gauss, (z**2 + b) * (z - m) / t)
    yield value(variance, {m: 1, t: 1, b: -4}), "14"
    yield value(variance, {m: 1, t: 1, b: -2}), "18"


@derivation.exercise(
    r"Both of two categories are equally likely. What are $\mathbb{E} y_1^2$ at temperature 1 and $\mathbb{E} b_1^2$ of the "
    r"one-hot sample?",
    prose(
        "{even}, the mean square of a uniform number, against 1/2.",
        even=holds(Limit(second_moment, rise, 0), "=", Rational(1, 3)),
    ),
    level="medium",
    hint="At temperature 1 and even odds, the first entry of a relaxed sample is uniform.",
)
def even_odds():
    yield limit_of(derivation.ground().expand(second_moment), rise, 0), Rational(1, 3)
    yield mean_square(1.0, 1e-6), "1/2"


@derivation.exercise(
    "Let $f$ be 1 for positive $z$ and 0 elsewhere, with mean 0 and variance 1. What are the gradient of the average in the "
    r"mean, the average of the slopes, and the average of $f$ times the score? And for $\max(0, z)$?",
    "The step has the gradient 0.3989. Its slopes are 0 next to the jump, and so is their average: the path misses the jump, "
    "which a shift of the mean carries samples across. The score gives 0.3989. The kink does no harm: for it all three are "
    "0.5.",
    level="hard",
    hint="The average of the step is the probability of a positive sample; which line of the integration by parts needs a slope?",
)
def a_jump_and_a_kink():
    at, shift = symbols("z m", real=True)
    bell = exp(-(at**2) / 2) / sqrt(2 * pi)
    for height, slope, exact, of_path in ((Integer(1), 0, "0.3989", "0"), (at, 1, "0.5", "0.5")):
        of_shifted = lambdify((at, shift), height.subs(at, at + shift) * bell)
        above, below = (quad(of_shifted, -mean, 12, args=(mean,))[0] for mean in (1e-3, -1e-3))
        yield (above - below) / 2e-3, exact
        yield float(integrate(slope * bell, (at, 0, oo))), of_path
        yield float(integrate(height * at * bell, (at, 0, oo))), exact
