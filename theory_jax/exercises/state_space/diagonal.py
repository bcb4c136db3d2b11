"""Exercises of the lecture: Diagonal state spaces: a kernel as a sum of damped oscillations."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._diagonal import UNIT
from theory_jax.lectures.state_space.diagonal import c, derivation, kernel, l, lam, step
from theory_jax.state_space.diagonal import KINDS, diagonal_kernel, initial_eigenvalues


@derivation.exercise(
    r"A pair with the frequency 0, the weight $\frac12$ and the damping $\ln 2$, at the step 1: what is its kernel, and what "
    "does it sum to?",
    prose(
        r"$K_l$ is {twice}: 0.7213 and then halves of it; the sum is $1/\ln 2$, or 1.4427. It is a mean that forgets.",
        twice=holds(2 * kernel, "=", 2 ** (-l) / (2 * log(2)), when={lam: -log(2), c: Rational(1, 2), step: 1}, named=True),
    ),
)
def a_running_mean():
    kernel = diagonal_kernel(
        jnp.array([[0.5 + 0j]]), jnp.zeros(1), jnp.log(jnp.log(2 * UNIT))[None], jnp.zeros((1, 1)), length=60
    )
    yield kernel[0, 0], "0.7213"
    yield kernel.sum(), "1.4427"


@derivation.exercise(
    r"What are the frequencies of LegS with four states, the roots of $\omega^4 - \frac{43}2 \omega^2 + \frac{105}{16}$?",
    r"Their squares are $\frac{21.5 \pm \sqrt{436}}2$: 0.5565 and 4.6033.",
)
def four_states():
    slow, fast = initial_eigenvalues(order=4, kind="legs").imag
    yield slow, "0.5565"
    yield fast, "4.6033"


@derivation.exercise(
    r"With the next term the largest frequency is about $\frac{N^2}\pi - \frac\pi6$. How well do one and both terms do for "
    "64 states, and what do S4D-Inv and S4D-Lin have there?",
    r"1303.797 and 1303.274, where LegS has 1303.274. S4D-Inv begins at 1283.4, S4D-Lin ends at 97.4.",
)
def the_largest_frequency():
    legs, inverse, linear = (initial_eigenvalues(order=64, kind=kind).imag.max() for kind in KINDS[::-1][:1] + KINDS[1::-1])
    yield 64**2 / np.pi, "1303.797"
    yield 64**2 / np.pi - np.pi / 6, "1303.274"
    yield legs, "1303.274"
    yield inverse, "1283.4"
    yield linear, "97.4"
