"""Exercises of the lecture: Annealed importance sampling: a normalizer without bias, from walks out of equilibrium."""

import math

import numpy as np
from sympy import exp, log

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.energy._annealed_walks import walk_weights
from theory_jax.lectures.energy.annealed_importance_sampling import a1, a2, b1, b2, c, derivation, v1, v2


@derivation.exercise(
    "What is the variance of the weight in the example without a transition?",
    "The mean square is 8.5 and the square of the mean 6.25, so it is 2.25: importance sampling from $p_0$.",
)
def importance_sampling():
    weights = np.array([1.0, 4.0])
    yield np.mean(weights**2), "8.5"
    yield np.mean(weights) ** 2, "6.25"
    yield np.var(weights), "2.25"


@derivation.exercise(
    "By how much is the logarithm of the mean of two such weights low, on average?",
    r"The mean is 1, $\frac52$ or 4 with probabilities $\frac14$, $\frac12$ and $\frac14$, and its "
    r"logarithm 0.8047 on average, which is 0.1116 below $\log 2.5$. One weight alone is low by 0.2231.",
)
def two_runs():
    mean = np.mean([np.log((a + b) / 2) for a in (1, 4) for b in (1, 4)])
    yield mean, "0.8047"
    yield np.log(2.5) - mean, "0.1116"
    yield np.log(2.5) - np.log(2), "0.2231"


@derivation.exercise(
    prose(
        "A machine has no weights between its layers. Which base gives every walk the same weight, and how large is it "
        "for one hidden unit with {bias}?",
        bias=where(c, log(3)),
    ),
    prose(
        "The base with the machine's own visible biases, {first} and {second}. Then only the hidden bias is switched on: "
        "{weight} for every walk, which is 2.",
        first=where(a1, b1),
        second=where(a2, b2),
        weight=holds(
            times(exp(plus(b1 * v1, b2 * v2)), 1 + exp(c)) / times(exp(plus(a1 * v1, a2 * v2)), 2),
            "=",
            (1 + exp(c)) / 2,
            named=True,
            wrong={"a hidden unit that is on": exp(c)},
        ),
    ),
)
def a_base_that_fits():
    rng, bias = np.random.default_rng(0), np.array([0.5, -1.0])
    yield np.exp(walk_weights(rng, 3, 4, (np.zeros((2, 1)), bias, np.array([math.log(3)]), bias))).max(), "2"
