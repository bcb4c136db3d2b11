"""Exercises of the lecture: Inpainting: what writing the known entries into every step samples, and what the exact step is."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.notation import Limit
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.inpainting import resampling_schedule
from theory_jax.lectures.diffusion.inpainting import a, derivation, mean, ratio, rho, y


@derivation.exercise(
    "The correlation is 0.6 and the known value 2. Which mean and variance are wanted, and which does replacement sample?",
    "Wanted are 1.2 and 0.64; replacement samples 0.6667 and 0.7394: a little more than half of the shift, and too wide.",
    level="easy",
    hint="The root of one less the squared correlation is 0.8.",
)
def a_moderate_correlation():
    given = {rho: 0.6, y: 2}
    yield value(rho * y, given), "1.2"
    yield value(1 - rho**2, given), "0.64"
    yield value(mean, given), "0.6667"
    yield value((1 - rho**2) * log((1 + rho) / (1 - rho)) / (2 * rho), given), "0.7394"


@derivation.exercise(
    "RePaint with ten steps, jumps of two levels and every step made three times: from which levels does it climb, how many "
    "moves go up, and how many levels are visited?",
    r"From 7, 5, 3 and 1, twice from each and by two levels: 16 moves up. With 16 more moves down there are 43 levels.",
    level="easy",
    hint="The sampler climbs where as many levels are below as a jump has; each climb is made twice.",
)
def ten_levels():
    levels = resampling_schedule(num_steps=10, jump_length=2, num_resamples=3)
    yield jnp.sum(jnp.diff(levels) > 0), "16"
    yield len(levels), "43"


@derivation.exercise(
    r"What does replacement sample if the correlation tends to 1?",
    prose(
        "The mean tends to {mean}, and the variance to {variance}: a copied pixel is found. At a correlation of 0.9999 the "
        "mean is $0.986 y$ and the variance 0.000990.",
        mean=holds(Limit(mean, rho, 1, "-"), "=", y, named=True),
        variance=holds(Limit((1 - rho**2) * log((1 + rho) / (1 - rho)) / (2 * rho), rho, 1, "-"), "=", 0, named=True),
    ),
    level="medium",
    hint="Take the limits of both closed forms; the logarithm grows slower than its factor falls.",
)
def a_copy():
    yield (1 - math.sqrt(1 - 0.9999**2)) / 0.9999, "0.986"
    yield (1 - 0.9999**2) * math.atanh(0.9999) / 0.9999, "0.000990"


@derivation.exercise(
    "How often must RePaint make a step so that the bias is at most one percent of the wanted mean, by the bound, and for a "
    "correlation of 0.8 exactly? How many calls of the network does that cost with 250 levels?",
    "By the bound 99 times; exactly 37 times, since the bound is tight for weak correlations only. That is 9250 calls in place "
    "of 250: the bias falls like one over the price, a slow rate.",
    level="medium",
    hint="The relative bias is the integral of $w^U$ over the levels; the bound puts $a$ in place of $w$.",
)
def how_many_repetitions():
    nodes, weights = np.polynomial.legendre.leggauss(40)
    factors = np.array([value(ratio, {rho: 0.8, a: (1 + node) / 2}) for node in nodes])

    def share(repetitions):
        return weights @ factors**repetitions / 2

    needed = next(repetitions for repetitions in range(1, 200) if share(repetitions) <= 0.01)
    yield next(repetitions for repetitions in range(1, 200) if 1 / (1 + repetitions) <= 0.01 + 1e-12), "99"
    yield needed, "37"
    yield 250 * needed, "9250"


@derivation.exercise(
    r"$k_0$ is $-1$, 0 or 1 with equal probabilities and $u_0$ is its square. At the level $\frac12$, with noisy entries of 0 "
    "and the known value 1: what does the exact step add in the unknown entry, and what does guidance?",
    r"The weights of the three points are $e^{-1}, 1, e^{-1}$, so the mean of $u_0$ is 0.4239, and the exact term, $\sqrt2\, "
    "(1 - 0.4239)$, is 0.815. The covariance is 0, and guidance adds 0: no straight line sees a square.",
    level="hard",
    hint="At noisy entries of 0 the points have weights by their lengths alone; add the known value to the condition.",
)
def a_square():
    weights = np.array([math.exp(-1), 1.0, math.exp(-1)])
    weights, points = weights / weights.sum(), np.array([-1.0, 0.0, 1.0])
    yield weights @ points**2, "0.4239"
    yield math.sqrt(0.5) / 0.5 * (1 - weights @ points**2), "0.815"
    yield weights @ points**3 - (weights @ points**2) * (weights @ points), "0"
