"""Exercises of the lecture: Affine coupling: a stretch that depends on the point."""

import numpy as np
from sympy import Rational, exp, log, pi, sqrt

from theory_jax.derivation.parts import value
from theory_jax.flows.affine_coupling import forward
from theory_jax.lectures.flows.affine_coupling import _PAIR, _powers_of_two, _same, derivation, mu, v


@derivation.exercise(
    "What does the layer of the example make of $x = (2, 1)$?",
    r"$z = (2, 4 + 2) = (2, 6)$, log-determinant $2 \log 2 = "
    "1.3863$.",
    level="easy",
    hint="The first coordinate passes, and the networks see it alone.",
)
def four_times():
    z, log_det = forward(np.array([[2.0, 1.0]]), _PAIR, _powers_of_two, _same)
    yield z[0], "(2, 6)"
    yield log_det, "1.3863"


@derivation.exercise(
    r"Given $x_a$ the data have mean 5 and variance 4. Which $s$ and $t$ are best?",
    r"$s = -\frac12 \log 4 = -0.6931$ and $t = -5 e^{s} = -2.5$.",
    level="easy",
    hint="Which scale makes the variance 1, and which shift then makes the mean 0?",
)
def the_best_layer():
    best = -log(v) / 2
    yield value(best, {v: 4}), "-0.6931"
    yield value(-mu * exp(best), {v: 4, mu: 5}), "-2.5"


@derivation.exercise(
    r"Given $x_a$ the data are uniform on $[-\sqrt3, \sqrt3]$. How large is the divergence that one optimal layer leaves?",
    r"Mean 0 and variance 1, so $s = t = 0$ is best: $\frac12 \log 2\pi e - \log 2\sqrt3 = 0.1765$ nats.",
    level="hard",
    hint="The divergence is the cross-entropy with the best normal density, less the entropy of the data.",
)
def a_uniform_law():
    yield value(log(2 * pi) / 2 + Rational(1, 2) - log(2 * sqrt(3)), {}), "0.1765"


@derivation.exercise(
    "Many implementations keep the log-scale between $-1$ and 1 by a hyperbolic tangent. Given $x_a$ the data have mean 0 and "
    "variance 0.01. Which log-scale is best without the limit, and below what does the divergence never fall with it?",
    "It would be 2.3026. With a log-scale of nearly 1 the variance of $z_b$ is 0.0739 instead of 1, and the divergence 0.8395 "
    "nats. Data on a small scale are standardized before such a layer, or a scale is learned outside the tangent.",
    level="medium",
    hint="The divergence is that of the transformed data from the noise, and it falls up to the best log-scale.",
)
def a_bounded_scale():
    left = v * exp(2)
    yield value(-log(v) / 2, {v: 0.01}), "2.3026"
    yield value(left, {v: 0.01}), "0.0739"
    yield value((left - 1 - log(left)) / 2, {v: 0.01}), "0.8395"


@derivation.exercise(
    "Two standard normal coordinates have the correlation 0.6, and the first one passes. Which log-scale and shift make the pair "
    "independent noise?",
    "Given the first the second has mean 0.6 times it and variance 0.64: the log-scale is 0.2231 everywhere, and the shift -0.75 "
    "times the first. The covariance is then exactly (1, 0, 0, 1), so one layer is enough.",
    level="medium",
    hint="What are the mean and the variance of the second coordinate given the first?",
)
def a_correlated_pair():
    log_scale = value(-log(v) / 2, {v: 1 - 0.6**2})
    shift = -0.6 * np.exp(log_scale)
    layer, covariance = np.array([[1.0, 0.0], [shift, np.exp(log_scale)]]), np.array([[1.0, 0.6], [0.6, 1.0]])
    yield log_scale, "0.2231"
    yield shift, "-0.75"
    yield layer @ covariance @ layer.T, "(1, 0, 0, 1)"
