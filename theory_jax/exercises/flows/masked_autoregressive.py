"""Exercises of the lecture: Masked autoregressive flow: every variable given all before it."""

import numpy as np
import sympy

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.masked_autoregressive import forward
from theory_jax.lectures.flows.masked_autoregressive import _halved, _over_noise, bent, c, derivation, tau


@derivation.exercise(
    "What is $z$ of the data point $(1, 3)$ in the example, and the log-determinant?",
    r"The means are 1 and 1, the deviations 1 and 2: $z$ is (0, 1), and the log-determinant $-\log 2$, or $-0.6931$.",
)
def one_and_three():
    z, log_det = forward(np.array([[1.0, 3.0]]), _halved)
    yield z[0], "(0, 1)"
    yield log_det, "-0.6931"


@derivation.exercise(
    "Six variables, each depending on the second one before it. How many passes does the way back take?",
    "The longest chain is 1, 3, 5: 3 passes.",
)
def three_passes():
    looks, left, passes = np.eye(6, k=-2), np.eye(6), 0
    while left.any():
        left, passes = looks @ left, passes + 1
    yield passes, "3"


@derivation.exercise(
    prose("What is the skewness of $x_1$ in the last chain at {c} and {tau}?", c=where(c, 1), tau=where(tau, 1)),
    prose(
        "The variance is {variance}, and the third central moment {third}: the skewness is {skewness}, or 1.5396.",
        variance=holds(_over_noise((bent - c) ** 2), "=", 3, named=True),
        third=holds(_over_noise((bent - c) ** 3), "=", 8, named=True),
        skewness=8 / sympy.Integer(3) ** sympy.Rational(3, 2),
    ),
)
def a_skewness():
    yield value(8 * c**3 / (2 * c**2 + tau**2) ** sympy.Rational(3, 2), {c: 1, tau: 1}), "1.5396"
