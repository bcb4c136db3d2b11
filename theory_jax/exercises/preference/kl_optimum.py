"""Exercises of the lecture: The best policy at a price per nat, and the reward that it reveals."""

import jax.numpy as jnp
from sympy import log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose
from theory_jax.lectures.preference.kl_optimum import _REFERENCE, _REWARDS, Z, best, beta, derivation, r, reference
from theory_jax.preference.kl_optimum import implicit_reward, reward_kl_frontier


@derivation.exercise(
    r"Two completions are equally likely under the reference; the second earns $\log 3$ more. What is the optimum at the price "
    r"1, and what is it worth if the first earns 0?",
    r"The weights are $\frac12$ and $\frac32$, so the optimum is (0.25, 0.75), worth $\log 2$, 0.6931.",
)
def two_completions():
    given = {reference: (0.5, 0.5), r: (0, log(3)), beta: 1}
    yield value(best, given), "(0.25, 0.75)"
    yield value(log(Z), given), "0.6931"


@derivation.exercise(
    r"At the price 2 the optimum of the example's reference is $(\frac14, \frac14, \frac12)$. What are the rewards, if the first "
    "is 0?",
    prose("They are {reward}, up to a constant: (0, 1.3863, 2.7726), twice the example's.", reward=2 * log(best / reference)),
)
def rewards_from_the_optimum():
    implied = implicit_reward(jnp.log(jnp.array([0.25, 0.25, 0.5])), _REFERENCE, kl_coefficient=2.0)
    yield implied - implied[0], "(0, 1.3863, 2.7726)"


@derivation.exercise(
    r"The example's price is halved. What are the optimum's reward and divergence?",
    r"The weights are $\frac12, 1, 4$, so the optimum is $(1, 2, 8)/11$, with a reward of 1.1342 at 0.5637 nats.",
)
def half_the_price():
    (reward,), (spent,) = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.array([0.5]))
    yield reward, "1.1342"
    yield spent, "0.5637"
