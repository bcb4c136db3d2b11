"""Exercises of the lecture: A replay buffer: long chains without long waits."""

from itertools import product

import numpy as np
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.replay_buffer import expected_age
from theory_jax.lectures.energy.replay_buffer import L, derivation, factor, p


@derivation.exercise(
    "How small must $p$ be so that the buffer keeps 1% of the start, if a visit's steps keep 0.5472 of it?",
    prose(
        "With {small} the share is {share}, 0.01; for this $L$ it is 0.00836.",
        small=where(p, (1 - L) / (99 * L)),
        share=holds(factor, "=", Rational(1, 100), wrong={"without a buffer": p * L}),
    ),
    level="easy",
    hint="Solve the formula of the kept share for $p$.",
)
def one_percent():
    found = 0.01 * (1 - 0.5472) / (0.99 * 0.5472)
    yield found, "0.00836"
    yield value(factor, {p: found, L: 0.5472}), "0.01"


@derivation.exercise(
    "The energy drifts. How many updates ago was a state that is handed out last replaced, on average, with 10000 places, "
    "batches of 128 different ones, and one in twenty begun anew (which counts as zero)?",
    prose(
        r"Replaced {visits} visits ago on average, each after a wait of $\frac{N}{B}$, 78.125 updates: 1484.4 in all, and 19 "
        "visits. A small $p$ forgets the fresh samples and remembers old parameters.",
        visits=holds(1 / p - 1, "=", 19, when={p: Rational(1, 20)}),
    ),
    level="medium",
    hint="How many visits ago was it replaced, and how long does a place wait between visits?",
)
def updates_ago():
    before = expected_age(reinitialize_probability=0.05, chain_length=1) - 1
    yield before, "19"
    yield before * 10000 / 128, "1484.4"


@derivation.exercise(
    "One fresh sample is used for all states that are replaced in an update. What changes?",
    "The mean of each state does not, so neither does the share that is kept; but the states are no longer independent. Two "
    r"that are replaced in the same update start from the same state: with $\frac12$ for $p$ and a batch of 2 both are, with "
    "probability 0.25.",
    level="medium",
    hint="Compare the mean of one state with the joint distribution of two.",
)
def shared_draw():
    both = [1.0 * (max(coins) < 0.5) for coins in product((0.0, 0.5), repeat=2)]
    yield np.mean(both), "0.25"


@derivation.exercise(
    "One state in twenty is begun anew. Which share of the buffer is more than 10 visits old, and which more than 100?",
    "0.5987 and 0.0059: of 10000 states about 59 have not been replaced for a hundred visits.",
    level="easy",
    hint="A state is that old if none of its last visits replaced it.",
)
def old_states():
    ages = np.arange(1, 101)
    younger = 0.05 * 0.95 ** (ages - 1)
    yield 1 - younger[:10].sum(), "0.5987"
    yield 1 - younger.sum(), "0.0059"


@derivation.exercise(
    r"Let the mean age stay at 1200 steps of length 0.01. Which share of the start does a buffer keep with visits of 1200, of 60 "
    r"and of 1 step? What is the limit of very short visits, where a step keeps $e^{-\lambda}$?",
    r"The probability $p$ is $K/1200$. The shares are 0.000006, 0.057 and 0.0762, and the limit is $\frac{1}{1 + 1200 \lambda}$, "
    r"0.0766 for a $\lambda$ of 0.01005: the mean of $e^{-\lambda A}$ over exponential ages. At the same mean age short visits "
    "remember more, since many states are much younger than the mean; but each update costs a step in place of 1200.",
    level="hard",
    hint=r"Write $K$ and $p$ as multiples of a small number, and expand numerator and denominator.",
)
def visits_of_any_length():
    def kept_share(steps):
        return value(factor, {p: Rational(steps, 1200), L: 0.99**steps})

    yield kept_share(1200), "0.000006"
    yield kept_share(60), "0.057"
    yield kept_share(1), "0.0762"
    rate = -np.log(0.99)
    yield rate, "0.01005"
    yield kept_share(Rational(1, 1000)), "0.0766"
    yield 1 / (1 + 1200 * rate), "0.0766"
