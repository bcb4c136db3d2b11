"""Exercises of the lecture: Inpainting: what writing the known entries into every step samples, and what the exact step is."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.notation import Limit
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.inpainting import resampling_schedule
from theory_jax.lectures.diffusion.inpainting import derivation, mean, rho, y


@derivation.exercise(
    r"What does replacement sample if the correlation tends to 1?",
    prose(
        "The mean tends to {mean}, and the variance to {variance}: a copied pixel is found. At a correlation of 0.9999 the "
        "mean is $0.986 y$ and the variance 0.000990.",
        mean=holds(Limit(mean, rho, 1, "-"), "=", y, named=True),
        variance=holds(Limit((1 - rho**2) * log((1 + rho) / (1 - rho)) / (2 * rho), rho, 1, "-"), "=", 0, named=True),
    ),
)
def a_copy():
    yield (1 - math.sqrt(1 - 0.9999**2)) / 0.9999, "0.986"
    yield (1 - 0.9999**2) * math.atanh(0.9999) / 0.9999, "0.000990"


@derivation.exercise(
    "RePaint with ten steps, jumps of two levels and every step made three times: from which levels does it climb, how many "
    "moves go up, and how many levels are visited?",
    r"From 7, 5, 3 and 1, twice from each and by two levels: 16 moves up. With 16 more moves down there are 43 levels.",
)
def ten_levels():
    levels = resampling_schedule(num_steps=10, jump_length=2, num_resamples=3)
    yield jnp.sum(jnp.diff(levels) > 0), "16"
    yield len(levels), "43"


@derivation.exercise(
    r"$k_0$ is $-1$, 0 or 1 with equal probabilities and $u_0$ is its square. At the level $\frac12$, with noisy entries of 0 "
    "and the known value 1: what does the exact step add in the unknown entry, and what does guidance?",
    r"The weights of the three points are $e^{-1}, 1, e^{-1}$, so the mean of $u_0$ is 0.4239, and the exact term, $\sqrt2\, "
    "(1 - 0.4239)$, is 0.815. The covariance is 0, and guidance adds 0: no straight line sees a square.",
)
def a_square():
    weights = np.array([math.exp(-1), 1.0, math.exp(-1)])
    weights, points = weights / weights.sum(), np.array([-1.0, 0.0, 1.0])
    yield weights @ points**2, "0.4239"
    yield math.sqrt(0.5) / 0.5 * (1 - weights @ points**2), "0.815"
    yield weights @ points**3 - (weights @ points**2) * (weights @ points), "0"
