"""Exercises of the lecture: Jensen's inequality, with its exact gap."""

import math

import jax.numpy as jnp
from sympy import Rational, Symbol, limit, log

from theory_jax.derivation.notation import Divergence, Expectation, Variance, plus
from theory_jax.derivation.parts import value
from theory_jax.foundations.jensen import jensen_gap
from theory_jax.lectures.foundations.jensen import _given, delta, derivation, r, tilted, w


@derivation.exercise(
    r"What is the gap of $|x|$ for a fair coin on $\{-1, 1\}$, and for one on $\{1, 3\}$?",
    r"1, since the mean 0 is the kink; and 0, since $|x|$ is affine from 1 to 3.",
    level="easy",
    hint="Where is the mean, and is the function straight between the two values?",
)
def a_kink():
    fair = jnp.log(jnp.full((1, 2), 0.5))
    yield jensen_gap(jnp.array([[-1.0, 1.0]]), fair, abs), "1"
    yield jensen_gap(jnp.array([[1.0, 3.0]]), fair, abs), "0"


@derivation.exercise(
    "By which factor does the arithmetic mean of 1 and 4 exceed the geometric mean, and what does it have to do with the "
    "example?",
    r"$2.5 / 2$, which is 1.25. Its logarithm 0.2231 is the gap of the example.",
    level="easy",
    hint="The geometric mean is the exponential of the mean logarithm.",
)
def two_means():
    yield math.exp(value(Divergence(w, tilted), _given)), "1.25"
    yield math.log(2.5 / 2), "0.2231"


@derivation.exercise(
    r"Let $Y$ be 1 or -1 with probability one half each. What is the gap of the logarithm for $1 + \delta Y$, what is it at "
    r"0.5, and what is its limit when divided by $\delta^2$?",
    r"$-\frac12 \log(1 - \delta^2)$, since the mean is 1; 0.1438; and 1/2, half the variance of $Y$.",
    level="medium",
    hint="The mean does not depend on the size of the noise; the two logarithms together are that of a product.",
)
def a_fair_sign():
    of_the_example = plus(log(Expectation(w, r)), -Expectation(w, log(r)))
    yield value(of_the_example, {w: (0.5, 0.5), r: (0.5, 1.5)}), "0.1438"
    yield -math.log(1 - 0.25) / 2, "0.1438"
    yield limit(-log(1 - delta**2) / 2 / delta**2, delta, 0), "1/2"


@derivation.exercise(
    "An estimate of a likelihood is 1 or 4, as in the example. Someone adds half the relative variance to its mean logarithm. "
    "Which part of the gap is left, and which if the estimate is 2 or 3?",
    "The relative variance is 0.36, so 0.18 of 0.2231 nats is corrected, and 0.0431 is left. Of 2 and 3 it is 0.04, and of the "
    "gap 0.0204 only 0.0004 is left: the correction is good where the noise is small, which is where it is needed least.",
    level="medium",
    hint="The relative variance is the variance over the squared mean.",
)
def corrected():
    relative = Variance(w, r) / Expectation(w, r) ** 2
    for values, words in (((1, 4), ("0.36", "0.18", "0.2231", "0.0431")), ((2, 3), ("0.04", None, "0.0204", "0.0004"))):
        given = {w: (0.5, 0.5), r: values}
        spread, gap = value(relative, given), value(Divergence(w, tilted), given)
        numbers = (spread, spread / 2, gap, gap - spread / 2)
        yield from ((number, said) for number, said in zip(numbers, words, strict=True) if said)


@derivation.exercise(
    r"The smaller value of the example falls from 1 to $\varepsilon$. How does the gap of the logarithm grow, and why does the "
    "variance not tell?",
    r"As $-\frac12 \log \varepsilon$, without limit. At 0.01 the gap is 2.3051, ten times that of the example, but the variance "
    "only 3.9800, and never above 4. The bound by the variance needs a bound of the curvature, and that of the logarithm has "
    "none near 0.",
    level="hard",
    hint=r"Write the gap with $\varepsilon$; which of its terms is not finite at 0?",
)
def almost_zero():
    small = Symbol("epsilon", positive=True)
    gap = log((small + 4) / 2) - (log(small) + log(4)) / 2
    yield limit(gap / -log(small), small, 0), Rational(1, 2)
    given = {w: (0.5, 0.5), r: (0.01, 4)}
    yield value(Divergence(w, tilted), given), "2.3051"
    yield value(Variance(w, r), given), "3.9800"
    yield limit(((4 - small) / 2) ** 2, small, 0), Rational(4)
