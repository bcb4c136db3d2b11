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
from theory_jax.preference.reward_model import pairwise_reward_loss, pessimistic_reward, preference_accuracy


@derivation.exercise(
    r"What does a pair with a tie cost, and how does it pull at the chosen reward?",
    prose(
        "It costs {loss}, or 0.6931, and the slope is {slope}, or -0.5.",
        loss=holds(-log(_sigma(x)), "=", log(2), when={x: 0}, named=True),
        slope=holds(Slope(-log(_sigma(x)), x), "=", -Rational(1, 2), when={x: 0}, named=True),
    ),
    level="easy",
    hint="Both rewards are the same, so their difference is 0.",
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
    level="medium",
    hint="Write the sum of the squares over all pairs by the squares of single rewards and of their sum.",
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
    level="hard",
    hint="What is the distribution of the largest of 16 independent numbers?",
)
def sixteen_equals():
    u = sympy.Symbol("u", positive=True)
    yield sympy.integrate((2 * u - 1) * 16 * u**15, (u, 0, 1)), "0.882"


@derivation.exercise(
    "Three models give one completion the rewards 1, 2 and 6, and another 2 each time. Which has the larger mean, and which is "
    "chosen at the pessimism 1? From which pessimism on is the second one chosen?",
    "The means are 3 and 2; the deviation of the first is 2.1602. So at the pessimism 1 the rewards are 0.8398 and 2, and the "
    "second is chosen. It is from 0.4629 on: there one deviation, times the pessimism, is the difference of the means.",
    level="easy",
    hint="Divide by the number of models in the mean square, and take the root.",
)
def one_enthusiast():
    rewards = jnp.array([[1.0, 2.0], [2.0, 2.0], [6.0, 2.0]])
    yield pessimistic_reward(rewards, pessimism=0.0), "3 and 2"
    yield pessimistic_reward(rewards, pessimism=1.0), "0.8398 and 2"
    deviation = pessimistic_reward(rewards, pessimism=0.0)[0] - pessimistic_reward(rewards, pessimism=1.0)[0]
    yield deviation, "2.1602"
    yield 1 / deviation, "0.4629"


@derivation.exercise(
    "Three of four people prefer the first completion, and a model's difference of rewards is twice the true one. Which "
    "probability does the model give their verdict, what do its loss and its accuracy say, and what repairs it?",
    "It says 0.9 in place of 0.75, and its expected loss is 0.6547 in place of 0.5623. The accuracy is 0.75 either way. A "
    "scale repairs it: divide the rewards by 2. It can be fitted on held-out pairs, by the loss and not by the accuracy.",
    level="medium",
    hint="Twice the log-odds are the square of the odds.",
)
def too_sure():
    zero, true = jnp.zeros(1), jnp.log(jnp.array([3.0]))

    def mean(function, difference):
        return (0.75 * function(difference, zero) + 0.25 * function(zero, difference))[0]

    yield jnp.exp(-pairwise_reward_loss(2 * true, zero))[0], "0.9"
    yield mean(pairwise_reward_loss, 2 * true), "0.6547"
    yield mean(pairwise_reward_loss, true), "0.5623"
    for difference in (true, 2 * true):
        yield mean(preference_accuracy, difference), "0.75"
