"""Exercises of the lecture: Activation normalization: one example at a time."""

import numpy as np
from sympy import Rational, log, pi

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.actnorm import forward, initialize
from theory_jax.lectures.flows.actnorm import b, derivation, l, loss, mu, v, x


@derivation.exercise(
    "A channel has the values 2, 2, 4, 4. Where does the layer start?",
    r"The mean is 3 and the variance 1: at the shift -3 and the log-scale 0.",
)
def four_values():
    shift, log_scale = initialize(np.array([[2.0], [2.0], [4.0], [4.0]]))
    yield shift, "-3"
    yield log_scale, "0"


@derivation.exercise(
    "Three channels of 8 by 8 positions with the log-scales 0.1, -0.2 and 0.3: what is the log-determinant?",
    r"$64 \cdot 0.2$, or 12.8.",
)
def sixty_four_positions():
    yield forward(np.zeros((1, 3, 8, 8)), np.zeros(3), np.array([0.1, -0.2, 0.3]))[1], "12.8"


@derivation.exercise(
    "The shift is right and the log-scale too large by $\\log 2$. How far is the loss above its minimum, a position?",
    prose(
        "By {above}, that is 0.8069.",
        above=holds(
            loss - times(Rational(1, 2), plus(1, log(2 * pi), log(v))),
            "=",
            times(Rational(1, 2), 3 - log(4)),
            when={b: -mu, l: log(2) - log(v) / 2},
            named=True,
        ),
    ),
)
def twice_too_large():
    yield value(loss - times(Rational(1, 2), plus(1, log(2 * pi), log(v))), {x: (1, 3), b: -2, l: log(2)}), "0.8069"
