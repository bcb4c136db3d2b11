"""Exercises of the lecture.

Galaxies to order: a shape as the condition of a flow, and how it is read off the image.
"""

import numpy as np
import scipy.special
from sympy import Rational, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.galaxy_images import image_moments, shape_from_moments
from theory_jax.lectures.flows._galaxy_images import before_the_blur, twice_the_radius
from theory_jax.lectures.flows.galaxy_images import derivation, n, share, x


@derivation.exercise(
    "A program uses $2n$ for $b$, and draws galaxies of the index 1. What is wrong with them?",
    "The flux is right for every $b$. But its half-light radius is not: it holds 0.5940 of the light.",
    level="medium",
    hint="Which of flux and half-light radius does the constant decide?",
)
def a_wrong_constant():
    yield scipy.special.gammainc(2.0, 2.0), "0.5940"


derivation.exercise(
    r"Which share of a Gaussian galaxy's light is within $2R$?",
    prose(
        "$x$ is $4 \\log 2$ there: {share}, which is 0.9375.",
        share=holds(share, "=", Rational(15, 16), when={n: Rational(1, 2), x: 4 * log(2)}, named=True),
    ),
    level="easy",
    hint="Insert twice the radius into the unit in which the profile is one exponential.",
)(twice_the_radius)


derivation.exercise(
    "The blurred galaxy of the example has eigenvalues $m/q + 1$ and $mq + 1$, and reads the axis ratio 0.5302. What was it "
    "before?",
    "Subtract the blur's variance from both: the root of 5.771 / 23.083 is 0.5000.",
    level="easy",
    hint="What does a blur add to an eigenvalue?",
)(before_the_blur)


@derivation.exercise(
    r"Two galaxies of the axis ratio $\frac12$ have the angles 89 and $-89$ degrees: a turn of 2 degrees is between them. How "
    r"far apart are their conditions if the angle itself is given, and how far are they if $\varepsilon \cos 2\phi$ and "
    r"$\varepsilon \sin 2\phi$ are? Why does that matter to a network?",
    "The angles differ by 178 degrees, almost as far as can be; the pairs differ by 0.0419. A network is smooth in its "
    "condition: what it learns at one condition helps it at those nearby. With the pair these two galaxies help each other, as "
    "their images suggest; with the angle they do not, although they are nearly the same image.",
    level="medium",
    hint="Where do the doubled angles lie on a circle, and how large is the ellipticity?",
)
def a_jump():
    pairs = 0.6 * np.exp(2j * np.radians([89.0, -89.0]))
    yield abs(pairs[0] - pairs[1]), "0.0419"
    yield 89.0 - (-89.0), "178"


@derivation.exercise(
    "The wings of a galaxy are lost in noise, so a program multiplies the image by a round Gaussian weight of variance 10 "
    "around the center, before it computes moments. Which axis ratio does it read off the Gaussian galaxy of the example, "
    "whose moments along its axes are 23.083 and 5.771? How is the weight undone?",
    "The product of two Gaussians is one whose inverse variances are the sums: 6.977 and 3.659 are read, and the axis ratio "
    "0.7242 in place of 0.5. So a weight adds to the inverse moments what a blur adds to the moments. Subtract 1/10 from the "
    "inverses. That is exact for Gaussian galaxies only: the weight has made the reading depend on the profile.",
    level="hard",
    hint="What is the product of a Gaussian of one variance and a Gaussian of another, along each axis?",
)
def a_weight():
    rows, columns = np.indices((81, 81)) - 40.0
    image = np.exp(-(columns**2) / (2 * 23.083) - rows**2 / (2 * 5.771) - (rows**2 + columns**2) / 20)
    moments = image_moments(image[None], columns, rows)
    yield moments[0, 3:5], "6.977 and 3.659"
    yield shape_from_moments(moments)[0, 1], "0.7242"
    free = 1 / (1 / moments[:, 3:5] - 1 / 10)
    yield np.sqrt(free[0, 1] / free[0, 0]), "0.5"
