"""Exercises of the lecture: Annealed importance sampling: a normalizer without bias, from walks out of equilibrium."""

import math

import numpy as np
from sympy import exp, log

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.energy._annealed_walks import gap_and_variance, walk_weights
from theory_jax.lectures.energy.annealed_importance_sampling import a1, a2, b1, b2, c, derivation, v1, v2


@derivation.exercise(
    "What is the variance of the weight in the example without a transition?",
    "The mean square is 8.5 and the square of the mean 6.25, so it is 2.25: importance sampling from $p_0$.",
    level="easy",
    hint="There are two weights, 1 and 4, each with probability one half.",
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
    level="medium",
    hint="List the four pairs of weights and the logarithm of their mean.",
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
    level="medium",
    hint=r"Which factor of $f_\beta$ depends on the visible units when all weights are zero?",
)
def a_base_that_fits():
    rng, bias = np.random.default_rng(0), np.array([0.5, -1.0])
    yield np.exp(walk_weights(rng, 3, 4, (np.zeros((2, 1)), bias, np.array([math.log(3)]), bias))).max(), "2"


@derivation.exercise(
    r"Two states for which $u$ is 0 and $\log 4$, and perfect transitions. With how many factors is the mean of $\log w$ low by "
    r"less than 0.01 nats, and how large is then the standard deviation of $\log w$?",
    "The rise of the slope is 0.4159 and half of it over $K$ is 0.01 at 20.8: with 21 factors the gap is 0.0099, with 20 it is "
    "0.0104. The standard deviation is 0.1414, more than ten times the gap.",
    level="easy",
    hint="Take the limit for $K$ times the gap, and divide.",
)
def enough_factors():
    gains = np.array([0.0, math.log(4)])
    rise = gains[1] * (4 / 5 - 1 / 2)
    yield rise, "0.4159"
    yield rise / 2 / 0.01, "20.8"
    yield gap_and_variance(gains, 21)[0], "0.0099"
    yield gap_and_variance(gains, 20)[0], "0.0104"
    yield math.sqrt(gap_and_variance(gains, 21)[1]), "0.1414"


@derivation.exercise(
    "Somebody has an exact sample of the last distribution, and walks back from it to $p_0$. What is the mean of $1/w$ over such "
    r"walks, and how is the mean of $\log w$ over them related to $\log \rho$? Answer in general, and for the example with a "
    "perfect transition.",
    r"The mean of $1/w$ is $1/\rho$, since the reversal of the reversal is the walk; in the example it is 0.4. The mean of "
    r"$\log w$ is $\log \rho$ plus a divergence of the reversed walk from the walk, so it is high: 1.0166, where the walks "
    r"forward give 0.8087. On average both bracket $\log \rho$, which is 0.9163, without its being known.",
    level="hard",
    hint="Insert the definition of $w$ as a ratio of two distributions of walks, and average under the other one.",
)
def walks_from_the_other_end():
    f = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
    weights = (f[1] / f[0])[:, None] * (f[2] / f[1])  # of a walk from x to y
    move = np.tile(f[1] / 3, (2, 1))
    walks, reversed_walks = f[0][:, None] / 2 * move, (f[2] / 5)[None, :] * move.T
    yield np.sum(reversed_walks / weights), "0.4"
    yield np.sum(reversed_walks * np.log(weights)), "1.0166"
    yield np.sum(walks * np.log(weights)), "0.8087"
    yield math.log(2.5), "0.9163"
