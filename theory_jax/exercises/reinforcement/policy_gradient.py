"""Exercises of the lecture: The policy gradient theorem: differentiating what was decided by chance."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._stay_or_move import spread
from theory_jax.lectures.reinforcement.policy_gradient import baseline, derivation, p, q_0, q_1, same
from theory_jax.reinforcement.policy_gradient import bandit_gradient_samples, optimal_constant_baseline


@derivation.exercise(
    "One decision between two actions, worth 1 and 0 and taken with probabilities 0.9 and 0.1. What is the variance of the "
    "estimate without a baseline, with the mean reward, and with the best one?",
    prose(
        "The terms of both logits have the same squares. Twice their mean square, less the square of their mean, is {variance}: "
        "0.0018, 0.1152, 0.",
        variance=holds(
            2 * plus(p * (1 - p) ** 2 * (q_0 - baseline) ** 2, (1 - p) * p**2 * (q_1 - baseline) ** 2, -(same**2)),
            "=",
            Rational(9, 50) * (baseline - Rational(1, 10)) ** 2,
            when={p: Rational(9, 10), q_0: 1, q_1: 0},
            named=True,
        ),
    ),
)
def a_baseline_that_harms():
    yield spread([1.0, 0.0], [0.9, 0.1], (0.0, 0.9, 0.1)), "0.0018, 0.1152, 0"


@derivation.exercise(
    "What is the best constant baseline for three equally likely actions that are worth 3, 0 and 0?",
    r"The squared norms of the scores are equal, so it is the mean reward: 1.",
)
def equal_norms():
    yield optimal_constant_baseline(jnp.array([3.0, 0.0, 0.0]), jnp.zeros(3)), "1"


@derivation.exercise(
    "Is the return to come always less noisy than the total return? Let a run of two steps pay -1 and then 1, whatever is done, "
    r"without a discount, and let both actions be as likely.",
    r"The total return is 0, and so is its estimate: variance 0. The return to come is 0 from the first step on and 1 from the "
    r"second, with the score $\pm (\frac12, -\frac12)$: variance 0.5. Here the past makes up for what is to come, and leaving it "
    "out adds noise.",
)
def a_past_that_makes_up():
    terms = bandit_gradient_samples(jnp.ones(2), jnp.zeros(2), jnp.array(0.0))
    yield jnp.sum(0.0 * terms**2), "0"
    yield jnp.mean(jnp.sum(terms**2, axis=1)), "0.5"
