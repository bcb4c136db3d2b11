"""Exercises of the lecture: Gradients through randomness."""

from sympy import Rational, exp
from sympy import limit as limit_of

from theory_jax.derivation.notation import Expectation, Limit, Slope, Variance, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
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
)
def the_gradient_of_a_square():
    ground = derivation.ground()
    yield ground.expand(Slope(Expectation(gaussian, z**2), m)), 2 * m
    yield ground.expand(Expectation(standard, 2 * draw * exp(v / 2) * eps / 2)), exp(v)


@derivation.exercise(
    "Which constant should be subtracted from $z^2$ at mean and variance 1, and how much variance is left?",
    "The square in $b$ vanishes if 4 is subtracted, not the mean of $z^2$, which is 2. The variance is then 14, still above 4; "
    "with the mean it is 18.",
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
)
def even_odds():
    yield limit_of(derivation.ground().expand(second_moment), rise, 0), Rational(1, 3)
    yield mean_square(1.0, 1e-6), "1/2"
