"""Exercises of the lecture: The conjugate of a generator: a critic in place of a density ratio."""

import math

import jax.numpy as jnp
from scipy.optimize import minimize_scalar
from sympy import Integer, Rational, exp, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.foundations.f_divergence import f_generator, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate, fenchel_conjugate_derivative
from theory_jax.lectures.foundations.fenchel_conjugate import _ROWS, alpha, derivation, t, w


@derivation.exercise(
    r"What is the conjugate of the alpha family's generator with 3 for $\alpha$, for $t$ from $-\frac12$ on? What is it at 1, "
    r"and below $-\frac12$?",
    r"$\frac13 \left((1 + 2t)^{3/2} - 1\right)$; 1.3987 at 1; and $-\frac13$, that is -0.3333, below.",
    level="medium",
    hint="Which ratio has the slope $t$? Insert it into the last column of the row.",
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
    level="easy",
    hint="Take the first chain at the ratio 1.",
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
    level="medium",
    hint="Is the wrong function larger or smaller than the right one, and what does Fenchel and Young's inequality say then?",
)
def without_the_one():
    right = 1 + math.log(2)
    yield 2 * math.log(2) + math.exp(right) - 2 * right, "3.4366"
    yield 2 * (math.e - 1), "3.4366"


@derivation.exercise(
    "A critic of Pearson's divergence has the values 3 and $-5$ at two points. Which density ratios does it stand for, and "
    "what does the bound pay for them?",
    "The ratios are 2.5 and 0, and the values of the conjugate, which the bound subtracts, are 5.25 and $-1$. Below $-2$ the "
    "conjugate is flat: samples of the other distribution push the critic no further down.",
    level="easy",
    hint="The ratio is the slope of the conjugate, and below $-2$ that conjugate is flat.",
)
def two_values_of_a_critic():
    values = jnp.array([3.0, -5.0])
    yield fenchel_conjugate_derivative(values, divergence="pearson_chi_squared"), "2.5 and 0"
    price = fenchel_conjugate(values, divergence="pearson_chi_squared")
    yield price[0], "5.25"
    yield float(price[1]), Integer(-1)


@derivation.exercise(
    "The generator of Jeffreys' divergence is that of Kullback-Leibler plus that of the reverse divergence. Can its conjugate be "
    "found from theirs, without Wright's function? What is it at one half?",
    "It is the least value of $f_1^*(s) + f_2^*(t - s)$ over all $s$. Every split gives an upper bound, since the largest "
    "value of a sum is at most the sum of the largest values; with $f_1'(u)$ for $s$ at the best $u$ both are reached at one "
    "ratio. At one half the best $s$ is 1.2662, for the ratio 1.3051, and the conjugate is 0.5713.",
    level="hard",
    hint="Split the slope in two, one part for each generator, and take the largest value over the ratio in both parts.",
)
def a_sum_of_generators():
    def of_split(s):
        kullback = fenchel_conjugate(jnp.array(s), divergence="kl")
        return float(kullback + fenchel_conjugate(jnp.array(0.5 - s), divergence="reverse_kl"))

    best = minimize_scalar(of_split, bounds=(0.6, 3.0), method="bounded", options={"xatol": 1e-10})
    yield best.x, "1.2662"
    yield fenchel_conjugate_derivative(jnp.array(0.5), divergence="jeffreys"), "1.3051"
    yield best.fun, "0.5713"
    yield fenchel_conjugate(jnp.array(0.5), divergence="jeffreys"), "0.5713"
