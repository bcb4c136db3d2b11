"""Exercises of the lecture.

Galaxies to order: a profile, its flux, size and shape, and what a condition adds to flow matching.
"""

import scipy.special

from theory_jax.lectures.flows.galaxy_images import derivation


@derivation.exercise(
    "A program uses $2n$ for $b$, and draws galaxies of the index 1. What is wrong with them?",
    "The flux is right for every $b$. But its half-light radius is not: it holds 0.5940 of the light.",
)
def a_wrong_constant():
    yield scipy.special.gammainc(2.0, 2.0), "0.5940"
