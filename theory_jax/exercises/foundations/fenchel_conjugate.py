"""Exercises of the lecture: The conjugate of a generator: a critic in place of a density ratio."""

import math

from sympy import Rational, exp, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.foundations.f_divergence import f_generator, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate
from theory_jax.lectures.foundations.fenchel_conjugate import _ROWS, alpha, derivation, t, w


@derivation.exercise(
    r"What is the conjugate of the alpha family's generator with 3 for $\alpha$, for $t$ from $-\frac12$ on? What is it at 1, "
    r"and below $-\frac12$?",
    r"$\frac13 \left((1 + 2t)^{3/2} - 1\right)$; 1.3987 at 1; and $-\frac13$, that is -0.3333, below.",
)
def alpha_three():
    yield _ROWS["alpha"].conjugate.subs(alpha, 3), ((1 + 2 * t) ** Rational(3, 2) - 1) / 3
    yield fenchel_conjugate(1.0, divergence="alpha", alpha=3.0), "1.3987"
    yield fenchel_conjugate(-2.0, divergence="alpha", alpha=3.0), "-0.3333"


@derivation.exercise(
    r"What is $f^*(f'(1))$ for any generator, and what is it for the GAN's?",
    prose(
        r"$f'(1) - f(1)$, by the result at 1. For the GAN's, $f'(1)$ is $-\log 2$ and $f(1)$ is $-2 \log 2$, so it is {it}, "
        "0.6931.",
        it=holds(_ROWS["gan"].at_slope, "=", log(2), when={w: 1}, named=True),
    ),
)
def at_equality():
    yield fenchel_conjugate(-math.log(2), divergence="gan"), "0.6931"
    yield f_generator_derivative(0.0, divergence="gan") - f_generator(0.0, divergence="gan"), "0.6931"


@derivation.exercise(
    r"A friend uses $e^t$ as the conjugate of $u \log u$. Which part of the theory still holds, and what fails?",
    prose(
        "{larger}, so that $f(u) + f^*(t)$ is at least $u t$ still holds, but it is never an equality: at the best slope "
        "$f'(u)$ the two sides differ by $u (e - 1)$, at 2 by 3.4366. Every bound built on it is too low.",
        larger=holds(exp(t), ">", exp(t - 1)),
    ),
)
def without_the_one():
    right = 1 + math.log(2)
    yield 2 * math.log(2) + math.exp(right) - 2 * right, "3.4366"
    yield 2 * (math.e - 1), "3.4366"
