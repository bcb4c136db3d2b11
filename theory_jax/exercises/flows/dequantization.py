"""Exercises of the lecture: Dequantization: what a density says of integers."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, log

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.flows.dequantization import bits_per_dimension, uniform_dequantize
from theory_jax.lectures.flows.dequantization import derivation, noise, y


@derivation.exercise(
    prose(r"Four levels and {density}: what are $\log P(3)$ and its bound?", density=means("p(y)", 2 * y)),
    prose(
        "The cell has the probability {cell}, so they are -0.8267 and -0.8301: the density hardly changes within the last cell.",
        cell=holds(Integral(2 * y, (y, Rational(3, 4), 1)), "=", Rational(7, 16)),
    ),
)
def the_last_of_four():
    middle = (np.arange(2000) + 0.5) / 2000
    noisy = uniform_dequantize(np.full(2000, 3), middle, num_levels=4)
    yield value(log(Rational(7, 16)), {}), "-0.8267"
    yield np.mean(np.log(2 * noisy)) - math.log(4), "-0.8301"


@derivation.exercise(
    "Which noise makes the bound tight at the integer 0 in the example, and what does it give?",
    prose(
        r"The model's own distribution within the cell, of density {noise}. A noisy 0 is at {at}, where {density}, so $\log "
        r"p(y)$ less the logarithm of the noise's density, less $\log 2$, is {bound}, about -1.3863, for every $u$.",
        noise=2 * noise,
        at=where(y, noise / 2),
        density=holds(2 * y, "=", noise),
        bound=holds(plus(log(noise), -log(2 * noise), -log(2)), "=", -2 * log(2)),
    ),
)
def tight_noise():
    u = np.array([0.25, 0.9])
    density = 2 * uniform_dequantize(np.zeros(2, int), u, num_levels=2)
    bound = np.log(density) - np.log(2 * u) - math.log(2)
    yield bound[0], "-1.3863"
    yield bound[1], "-1.3863"


@derivation.exercise(
    "$D = 64$ pixels of 17 levels have the log-density 80 nats. How many bits per dimension, and how many under the uniform "
    "model?",
    "2.284 and 4.087.",
)
def digits():
    yield bits_per_dimension(jnp.array([80.0]), dim=64, num_levels=17), "2.284"
    yield bits_per_dimension(jnp.array([0.0]), dim=64, num_levels=17), "4.087"
