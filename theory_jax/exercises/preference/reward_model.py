"""Exercises of the lecture: What comparisons teach a reward model, what they leave open, and why its favorite disappoints."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, log

from theory_jax.derivation.notation import Slope
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.reward_model import _sigma, derivation, x
from theory_jax.preference.reward_model import pairwise_reward_loss


@derivation.exercise(
    r"What does a pair with a tie cost, and how does it pull at the chosen reward?",
    prose(
        "It costs {loss}, or 0.6931, and the slope is {slope}, or -0.5.",
        loss=holds(-log(_sigma(x)), "=", log(2), when={x: 0}, named=True),
        slope=holds(Slope(-log(_sigma(x)), x), "=", -Rational(1, 2), when={x: 0}, named=True),
    ),
)
def a_tie():
    zero = jnp.zeros(1)
    yield pairwise_reward_loss(zero, zero)[0], "0.6931"
    yield jax.grad(lambda r: pairwise_reward_loss(r, zero)[0])(zero)[0], "-0.5"


@derivation.exercise(
    "Five completions of a prompt are compared in all pairs, centered with coefficient 1. Which coefficient has the ridge? And "
    "with a single pair?",
    r"The coefficient $N - 2$, that is 3: the rewards (1, -1, 0, 0, 0), whose sum is 0, cost three times the sum of their "
    r"squares, 6. A single pair has none: (1, -1) costs 0.",
)
def the_ridge():
    def cost(rewards):
        first, second = (jnp.array(part) for part in np.array(list(itertools.combinations(rewards, 2))).T)
        return (pairwise_reward_loss(first, second, center_coefficient=1.0) - pairwise_reward_loss(first, second)).sum()

    yield cost([1.0, -1.0, 0.0, 0.0, 0.0]) / 2, "3"
    yield cost([1.0, -1.0, 0.0, 0.0, 0.0]), "6"
    yield cost([1.0, -1.0]), "0"


@derivation.exercise(
    r"Sixteen completions are equally good, and the noise of each reward is uniform on $(-1, 1)$. By how much does the winner's "
    r"reward exceed its true one?",
    r"By the mean of the largest of 16 uniform numbers on $(-1, 1)$, which is $\frac{15}{17}$ or 0.882.",
)
def sixteen_equals():
    u = sympy.Symbol("u", positive=True)
    yield sympy.integrate((2 * u - 1) * 16 * u**15, (u, 0, 1)), "0.882"
