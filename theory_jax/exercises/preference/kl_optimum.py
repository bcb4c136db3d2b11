"""Exercises of the lecture: The best policy at a price per nat, and the reward that it reveals."""

import jax.numpy as jnp
from sympy import Rational, Symbol, log, simplify, sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose
from theory_jax.lectures.preference.kl_optimum import _REFERENCE, _REWARDS, Z, best, beta, derivation, r, reference
from theory_jax.preference.kl_optimum import implicit_reward, reward_kl_frontier


@derivation.exercise(
    r"Two completions are equally likely under the reference; the second earns $\log 3$ more. What is the optimum at the price "
    r"1, and what is it worth if the first earns 0?",
    r"The weights are $\frac12$ and $\frac32$, so the optimum is (0.25, 0.75), worth $\log 2$, 0.6931.",
    level="easy",
    hint="Multiply each probability by the exponential of its reward, and normalize.",
)
def two_completions():
    given = {reference: (0.5, 0.5), r: (0, log(3)), beta: 1}
    yield value(best, given), "(0.25, 0.75)"
    yield value(log(Z), given), "0.6931"


@derivation.exercise(
    r"At the price 2 the optimum of the example's reference is $(\frac14, \frac14, \frac12)$. What are the rewards, if the first "
    "is 0?",
    prose("They are {reward}, up to a constant: (0, 1.3863, 2.7726), twice the example's.", reward=2 * log(best / reference)),
    level="medium",
    hint="Read the definition of the optimum backwards, with its price.",
)
def rewards_from_the_optimum():
    implied = implicit_reward(jnp.log(jnp.array([0.25, 0.25, 0.5])), _REFERENCE, kl_coefficient=2.0)
    yield implied - implied[0], "(0, 1.3863, 2.7726)"


@derivation.exercise(
    r"The example's price is halved. What are the optimum's reward and divergence?",
    r"The weights are $\frac12, 1, 4$, so the optimum is $(1, 2, 8)/11$, with a reward of 1.1342 at 0.5637 nats.",
    level="easy",
    hint="Halving the price squares the exponentials of the rewards.",
)
def half_the_price():
    (reward,), (spent,) = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.array([0.5]))
    yield reward, "1.1342"
    yield spent, "0.5637"


@derivation.exercise(
    "How many nats can the optimum of the example spend at most, however low the price is? And which reward does it never "
    "exceed?",
    r"Without a price it always gives the third completion, which costs $\log 4$, 1.3863 nats, and earns the same number. At the "
    "price 0.05 it spends 1.3863 to four digits already: a still lower price buys next to nothing.",
    level="medium",
    hint="Which policy is left as the price goes to zero, and how probable is what it does under the reference?",
)
def the_last_nat():
    (reward,), (spent,) = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.array([0.05]))
    yield -_REFERENCE[2], "1.3863"
    yield spent, "1.3863"
    yield reward, "1.3863"


@derivation.exercise(
    "Under the reference the rewards of very many completions are about normal, with mean 0 and deviation $s$. Which reward does "
    "the optimum earn for $K$ nats? How many nats does it take to gain two deviations, and how many to gain four?",
    r"It earns $s \sqrt{2K}$: 2 nats for two deviations and 8 for four. Each further deviation is dearer than the one before, as "
    "far as the tail of the rewards is normal; in finitely many completions it ends.",
    level="hard",
    hint=r"The logarithm of the partition function is $\theta^2 s^2/2$; the page's lines give the reward and the divergence.",
)
def normal_rewards():
    inverse_price, deviation = (Symbol(name, positive=True) for name in ("t", "s"))
    log_partition = inverse_price**2 * deviation**2 / 2
    reward = log_partition.diff(inverse_price)
    spent = inverse_price * reward - log_partition
    yield simplify(reward - deviation * sqrt(2 * spent)), Rational(0)
    for price, said in ((Rational(1, 2), "2"), (Rational(1, 4), "8")):
        yield float(spent.subs({inverse_price: 1 / price, deviation: 1})), said
