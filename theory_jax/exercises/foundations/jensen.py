"""Exercises of the lecture: Jensen's inequality, with its exact gap."""

import math

import jax.numpy as jnp
from sympy import limit, log

from theory_jax.derivation.notation import Divergence, Expectation, plus
from theory_jax.derivation.parts import value
from theory_jax.foundations.jensen import jensen_gap
from theory_jax.lectures.foundations.jensen import _given, delta, derivation, r, tilted, w


@derivation.exercise(
    r"What is the gap of $|x|$ for a fair coin on $\{-1, 1\}$, and for one on $\{1, 3\}$?",
    r"1, since the mean 0 is the kink; and 0, since $|x|$ is affine from 1 to 3.",
)
def a_kink():
    fair = jnp.log(jnp.full((1, 2), 0.5))
    yield jensen_gap(jnp.array([[-1.0, 1.0]]), fair, abs), "1"
    yield jensen_gap(jnp.array([[1.0, 3.0]]), fair, abs), "0"


@derivation.exercise(
    "By which factor does the arithmetic mean of 1 and 4 exceed the geometric mean, and what does it have to do with the "
    "example?",
    r"$2.5 / 2$, which is 1.25. Its logarithm 0.2231 is the gap of the example.",
)
def two_means():
    yield math.exp(value(Divergence(w, tilted), _given)), "1.25"
    yield math.log(2.5 / 2), "0.2231"


@derivation.exercise(
    r"Let $Y$ be 1 or -1 with probability one half each. What is the gap of the logarithm for $1 + \delta Y$, what is it at "
    r"0.5, and what is its limit when divided by $\delta^2$?",
    r"$-\frac12 \log(1 - \delta^2)$, since the mean is 1; 0.1438; and 1/2, half the variance of $Y$.",
)
def a_fair_sign():
    of_the_example = plus(log(Expectation(w, r)), -Expectation(w, log(r)))
    yield value(of_the_example, {w: (0.5, 0.5), r: (0.5, 1.5)}), "0.1438"
    yield -math.log(1 - 0.25) / 2, "0.1438"
    yield limit(-log(1 - delta**2) / 2 / delta**2, delta, 0), "1/2"
