"""Exercises of the lecture: Multi-scale flows: half of the variables leave early."""

import numpy as np
from sympy import Rational, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.multiscale import squeeze
from theory_jax.lectures.flows.multiscale import L, derivation, gain, rho


@derivation.exercise(
    "Where does the entry of channel 2, row 1, column 0 go?",
    r"To channel $4 \cdot 2 + 2 \cdot 1 + 0$, that is 10, row 0, column 0.",
)
def channel_ten():
    image = np.zeros((1, 3, 2, 2))
    image[0, 2, 1, 0] = 1
    yield np.argmax(squeeze(image)), "10"


@derivation.exercise(
    "Three levels: what do the 1x1 convolutions cost with splits, and without, in units of $C^2 N$?", "12 and 84."
)
def three_levels():
    yield value(4 * L, {L: 3}), "12"
    yield value(Rational(4, 3) * (4**L - 1), {L: 3}), "84"


@derivation.exercise(
    r"Two halves are normal with correlation 0.8. How many nats does a prior lose that ignores the kept half?",
    prose("It loses {loss}, or 0.5108.", loss=holds(gain, "=", log(Rational(5, 3)), when={rho: Rational(4, 5)}, named=True)),
)
def a_correlation():
    yield value(-log(1 - rho**2) / 2, {rho: Rational(4, 5)}), "0.5108"
