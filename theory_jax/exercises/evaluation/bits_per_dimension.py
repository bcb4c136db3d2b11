"""Exercises of the lecture: Bits per dimension: one unit for the likelihoods of discrete and continuous models."""

import math
from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.bits_per_dimension import annealed_log_weights, bits_per_dimension
from theory_jax.lectures.evaluation.bits_per_dimension import D, L, derivation, p_v, p_x


@derivation.exercise(
    "How many bits has a uniform density of scaled digits, 64 pixels of 17 levels? What does $L - 1$ in place of $L$ give?",
    prose(
        r"$\log_2 17$, 4.0875 bits for each pixel; with 16 it would be {four}.",
        four=holds(-log(p_v) / (D * log(2)), "=", 4, when={L: 16, p_x: 1}, named=True),
    ),
)
def uniform_digits():
    yield bits_per_dimension(jnp.zeros(1), dim=64, num_levels=17), "4.0875"
    yield bits_per_dimension(jnp.zeros(1), dim=64, num_levels=16), "4"


@derivation.exercise(
    r"Take the example's annealing with a step in between, at the temperatures $(0, \frac12, 1)$, and a new draw in proportion "
    "to $f_1$. What are the mean weight and the mean of its logarithm?",
    r"The step in between is $(2, 1, 1)$. The mean weight is 2, as before; the mean logarithm is $\frac{\log 2}{3} + \frac{\log "
    r"2}{2}$, 0.5776, closer to $\log 2$.",
)
def a_step_in_between():
    states = np.array(list(product(range(3), repeat=2)))
    chance = np.array([1.0, 1.0, 1.0])[states[:, 0]] / 3 * np.array([2.0, 1.0, 1.0])[states[:, 1]] / 4
    target = np.log([4.0, 1.0, 1.0])[states]
    log_weights = np.asarray(annealed_log_weights(np.zeros((9, 2)), target, np.array([0.0, 0.5, 1.0])))
    yield chance @ np.exp(log_weights), "2"
    yield chance @ log_weights, "0.5776"


@derivation.exercise(
    r"500 samples in 32 dimensions have a mean squared distance of 29.36 to the nearest. What do the two bounds say at the "
    r"bandwidth 0.7357, where they meet?",
    "Both are 1.30 nats, to two digits; at a smaller width the second is larger, at a larger one the first.",
)
def where_the_bounds_meet():
    square = 0.7357**2
    yield 16 * (math.log(1 + square) - square / (1 + square)), "1.30"
    yield 16 * (math.log(square) - 1) + 29.36 / (2 * square), "1.30"
