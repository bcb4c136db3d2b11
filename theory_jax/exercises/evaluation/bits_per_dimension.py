"""Exercises of the lecture: Bits per dimension: one unit for the likelihoods of discrete and continuous models."""

import math
from itertools import product

import jax.numpy as jnp
import numpy as np
import sympy
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
    level="easy",
    hint="The density of the scaled data is one.",
)
def uniform_digits():
    yield bits_per_dimension(jnp.zeros(1), dim=64, num_levels=17), "4.0875"
    yield bits_per_dimension(jnp.zeros(1), dim=64, num_levels=16), "4"


@derivation.exercise(
    r"Take the example's annealing with a step in between, at the temperatures $(0, \frac12, 1)$, and a new sample in proportion "
    "to $f_1$. What are the mean weight and the mean of its logarithm?",
    r"The step in between is $(2, 1, 1)$. The mean weight is 2, as before; the mean logarithm is $\frac{\log 2}{3} + \frac{\log "
    r"2}{2}$, 0.5776, closer to $\log 2$.",
    level="medium",
    hint="First find the function at half the way, then list the pairs of states.",
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
    level="medium",
    hint="Insert the bandwidth into both divergences, once for 32 coordinates, once for the nearest sample.",
)
def where_the_bounds_meet():
    square = 0.7357**2
    yield 16 * (math.log(1 + square) - square / (1 + square)), "1.30"
    yield 16 * (math.log(square) - 1) + 29.36 / (2 * square), "1.30"


@derivation.exercise(
    "A flow has a mean log-density of 2000 nats on images of 784 pixels with 256 levels. How many bits per dimension are that "
    "if the pixels were scaled to $[0, 1)$, and how many if they were scaled to $[-1, 1)$?",
    "4.32 and 3.32. On the longer interval a cell is twice as wide, so the same density stands for twice the probability of each "
    "pixel: one bit less. A density without its scale says nothing.",
    level="easy",
    hint="How wide is a cell in each of both units?",
)
def two_scales():
    ell = jnp.full(1, 2000.0)
    yield bits_per_dimension(ell, dim=784, num_levels=256), "4.32"
    yield bits_per_dimension(ell, dim=784, num_levels=128), "3.32"


@derivation.exercise(
    r"How large is the gap $\log P(v) - \mathbb{E}_u \log p_v(v + u)$ of a smooth density, to second order in the width of a "
    "cell? Try it on a density in proportion to $x$, in the cells from 1 to 2 and from 10 to 11.",
    r"$\frac{1}{24} (p'/p)^2$ at the middle: the curvature $p''$ adds the same to both terms, and cancels. For the density $x$ "
    "it is 0.018519 and 0.000378; exactly the gaps are 0.019171 and 0.000378. The noise costs little where the density changes "
    "by a small part from level to level.",
    level="hard",
    hint=r"Expand $p$ and $\log p$ about the middle of the cell; the mean of the squared distance from it is $\frac{1}{12}$.",
)
def gap_of_a_smooth_density():
    y, d, slope, bend = sympy.symbols("y d s b")  # p = 1 + s y + b y^2 / 2 in a cell of width d about the middle
    density = 1 + slope * y + bend * y**2 / 2
    mass = sympy.integrate(density, (y, -d / 2, d / 2)) / d
    noisy = sympy.integrate(sympy.series(log(density), y, 0, 3).removeO(), (y, -d / 2, d / 2)) / d
    yield sympy.series(log(mass), d, 0, 3).removeO() - noisy, slope**2 * d**2 / 24
    for v, approximate, exact in ((1, "0.018519", "0.019171"), (10, "0.000378", "0.000378")):
        yield 1 / (24 * (v + 0.5) ** 2), approximate
        yield math.log(v + 0.5) - ((v + 1) * math.log(v + 1) - v * math.log(v) - 1), exact
