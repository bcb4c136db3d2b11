"""Exercises of the lecture: Affine coupling: a stretch that depends on the point."""

import numpy as np
from sympy import Rational, exp, log, pi, sqrt

from theory_jax.derivation.parts import value
from theory_jax.flows.affine_coupling import forward
from theory_jax.lectures.flows.affine_coupling import _PAIR, _powers_of_two, _same, derivation, mu, v


@derivation.exercise(
    "What does the layer of the example make of $x = (2, 1)$?", r"$z = (2, 4 + 2) = (2, 6)$, log-determinant $2 \log 2 = 1.3863$."
)
def four_times():
    z, log_det = forward(np.array([[2.0, 1.0]]), _PAIR, _powers_of_two, _same)
    yield z[0], "(2, 6)"
    yield log_det, "1.3863"


@derivation.exercise(
    r"Given $x_a$ the data have mean 5 and variance 4. Which $s$ and $t$ are best?",
    r"$s = -\frac12 \log 4 = -0.6931$ and $t = -5 e^{s} = -2.5$.",
)
def the_best_layer():
    best = -log(v) / 2
    yield value(best, {v: 4}), "-0.6931"
    yield value(-mu * exp(best), {v: 4, mu: 5}), "-2.5"


@derivation.exercise(
    r"Given $x_a$ the data are uniform on $[-\sqrt3, \sqrt3]$. How large is the divergence that one optimal layer leaves?",
    r"Mean 0 and variance 1, so $s = t = 0$ is best: $\frac12 \log 2\pi e - \log 2\sqrt3 = 0.1765$ nats.",
)
def a_uniform_law():
    yield value(log(2 * pi) / 2 + Rational(1, 2) - log(2 * sqrt(3)), {}), "0.1765"
