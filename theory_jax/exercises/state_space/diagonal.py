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
    level="easy",
    hint="With the frequency 0 nothing turns: the kernel is a geometric sequence.",
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
    level="easy",
    hint="It is a quadratic equation for the square.",
)
def four_states():
    slow, fast = initial_eigenvalues(order=4, kind="legs").imag
    yield slow, "0.5565"
    yield fast, "4.6033"


@derivation.exercise(
    r"With the next term the largest frequency is about $\frac{N^2}\pi - \frac\pi6$. How well do one and both terms do for "
    "64 states, and what do S4D-Inv and S4D-Lin have there?",
    r"1303.797 and 1303.274, where LegS has 1303.274. S4D-Inv begins at 1283.4, S4D-Lin ends at 97.4.",
    level="medium",
    hint="All four numbers follow from formulas of the page; which index is the largest frequency?",
)
def the_largest_frequency():
    legs, inverse, linear = (initial_eigenvalues(order=64, kind=kind).imag.max() for kind in KINDS[::-1][:1] + KINDS[1::-1])
    yield 64**2 / np.pi, "1303.797"
    yield 64**2 / np.pi - np.pi / 6, "1303.274"
    yield legs, "1303.274"
    yield inverse, "1283.4"
    yield linear, "97.4"


@derivation.exercise(
    r"The damping begins at $\frac12$. After how many steps has a mode fallen to $1/e$, with the step 0.001 and with 0.1? "
    "Which damping does the latter need to hold a thousand steps?",
    r"After $1 / (\Delta \sigma)$: 2000 steps and 20. With the step 0.1 the damping 0.01 holds 1000 steps. The length of "
    "the memory is set by the product, so layers begin with steps that are spread over several powers of ten.",
    level="medium",
    hint="How does the size of a mode fall in one step?",
)
def how_long_it_remembers():
    def kernel(sigma, size):
        modes = jnp.array([[0.5 + 0j]]), jnp.log(jnp.array([size])), jnp.log(jnp.array([[sigma]])), jnp.zeros((1, 1))
        return diagonal_kernel(*modes, length=2001)[0]

    for sigma, size, said in ((0.5, 0.001, "2000"), (0.5, 0.1, "20"), (0.01, 0.1, "1000")):
        entries = np.asarray(kernel(sigma, size))
        yield float(np.argmin(np.abs(entries / entries[0] - np.exp(-1)))), said


@derivation.exercise(
    r"In the example, $2\pi$ is added to the frequency of $A$, and the mode is again read with its own eigenvalue. How does "
    "the kernel at the step 1 change, and what are the first entries of both kernels at half of the step?",
    "By 0: $e^{A}$ is the same, and so is $C g$, since it is $e^A - 1$. Data at one rate cannot tell the two apart. At half of "
    "the step the first entries are -1 and -3: what is added turns a half step by half a circle. A change of the sampling rate "
    r"works only for frequencies below $\pi / \Delta$.",
    level="hard",
    hint=r"What is $e^{\Delta A}$ after the change, at both steps?",
)
def the_same_at_one_rate():
    slow = -np.log(2) + 0.5j * np.pi
    for size, said in ((1.0, ("", "")), (0.5, ("-1", "-3"))):
        for eigenvalue, first in zip((slow, slow + 2j * np.pi), said, strict=True):
            modes = jnp.log(jnp.array([size])), jnp.log(jnp.array([[np.log(2)]])), jnp.array([[eigenvalue.imag]])
            entries = diagonal_kernel(jnp.array([[eigenvalue]]), *modes, length=5)[0]
            if size < 1:
                yield entries[0], first
            else:
                yield jnp.abs(entries - jnp.array([-2, -0.5, 0.5, 0.125, -0.125])).max(), "0"
