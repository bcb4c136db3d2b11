"""Exercises of the lecture.

Galaxies to order: a profile, its flux, size and shape, and what a condition adds to flow matching.
"""

import scipy.special
from sympy import Rational, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.flows._galaxy_images import before_the_blur, twice_the_radius
from theory_jax.lectures.flows.galaxy_images import derivation, n, share, x


@derivation.exercise(
    "A program uses $2n$ for $b$, and draws galaxies of the index 1. What is wrong with them?",
    "The flux is right for every $b$. But its half-light radius is not: it holds 0.5940 of the light.",
)
def a_wrong_constant():
    yield scipy.special.gammainc(2.0, 2.0), "0.5940"


derivation.exercise(
    r"Which share of a Gaussian galaxy's light is within $2R$?",
    prose(
        "$x$ is $4 \\log 2$ there: {share}, which is 0.9375.",
        share=holds(share, "=", Rational(15, 16), when={n: Rational(1, 2), x: 4 * log(2)}, named=True),
    ),
)(twice_the_radius)


derivation.exercise(
    "The blurred galaxy of the example has eigenvalues $m/q + 1$ and $mq + 1$, and reads the axis ratio 0.5302. What was it "
    "before?",
    "Subtract the blur's variance from both: the root of 5.771 / 23.083 is 0.5000.",
)(before_the_blur)
