"""Exercises of the lecture: Dequantization: what a density says of integers."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, Symbol, exp, integrate, log, series

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
    level="easy",
    hint="The probability is an integral over the last quarter; the bound takes the mean of the logarithm there.",
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
    level="medium",
    hint="When does the bound on this page hold with equality?",
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
    level="easy",
    hint="Take the logarithm of the number of levels in bits, and the log-density per pixel off it.",
)
def digits():
    yield bits_per_dimension(jnp.array([80.0]), dim=64, num_levels=17), "2.284"
    yield bits_per_dimension(jnp.array([0.0]), dim=64, num_levels=17), "4.087"


@derivation.exercise(
    "A flow was trained on pixels scaled to $[-1, 1)$ instead of $[0, 1)$, and its log-density goes into the formula of the bits "
    "unchanged. By how much is the result wrong, and which way?",
    "The values are stretched by 2 in each dimension, so the density is smaller by $2^D$, and the result is too large by "
    "exactly 1 bit per dimension: 5.5 instead of 4.5, say. A cell now has the side $2/K$, and the correction is that of half as "
    "many levels.",
    level="medium",
    hint="How does a density change when its variable is multiplied by 2?",
)
def the_wrong_range():
    right = -64 * (4.5 - math.log2(256)) * math.log(2)  # the log-density on the unit cube that costs 4.5 bits
    stretched = right - 64 * math.log(2)
    yield bits_per_dimension(jnp.array([stretched]), dim=64, num_levels=256), "5.5"
    yield bits_per_dimension(jnp.array([stretched]), dim=64, num_levels=128), "4.5"


@derivation.exercise(
    "A smooth, positive density is nearly an exponential function within a narrow cell. Let its logarithm rise by $a$ from one "
    "end of the cell to the other. How large is the gap of the bound, and what becomes of it if the levels are doubled?",
    r"Relative to its left end, the density has the mean $(e^a - 1)/a$ over the cell, and its logarithm the mean $a/2$. The gap "
    r"is $\log\frac{e^a - 1}{a} - \frac a2$, which begins with $\frac{a^2}{24}$. Twice the levels halve $a$ and leave a quarter "
    "of the gap. In the last of four cells the density of the first exercise rises by the factor 4/3, and the formula gives its "
    "gap, 0.0034 nats.",
    level="hard",
    hint="The gap is the logarithm of the mean minus the mean of the logarithm, over the cell.",
)
def a_narrow_cell():
    rise, place = Symbol("a", positive=True), Symbol("t", positive=True)
    yield integrate(exp(rise * place), (place, 0, 1)), (exp(rise) - 1) / rise
    gap = log((exp(rise) - 1) / rise) - rise / 2
    yield series(gap, rise, 0, 4).removeO(), rise**2 / 24
    yield value(gap, {rise: math.log(4 / 3)}), "0.0034"
