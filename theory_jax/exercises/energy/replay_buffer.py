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
)
def one_percent():
    found = 0.01 * (1 - 0.5472) / (0.99 * 0.5472)
    yield found, "0.00836"
    yield value(factor, {p: found, L: 0.5472}), "0.01"


@derivation.exercise(
    "The energy drifts. How many updates ago was a state last replaced, on average, when it is picked: with 10000 places, "
    "batches of 128 different ones, and one in twenty begun anew?",
    prose(
        r"Replaced {visits} visits ago on average, each after a wait of $\frac{N}{B}$, 78.125 updates: 1484.4 in all, and 19 "
        "visits. A small $p$ forgets the fresh samples and remembers old parameters.",
        visits=holds(1 / p - 1, "=", 19, when={p: Rational(1, 20)}),
    ),
)
def updates_ago():
    before = expected_age(reinitialize_probability=0.05, chain_length=1) - 1
    yield before, "19"
    yield before * 10000 / 128, "1484.4"


@derivation.exercise(
    "One fresh sample is used for all states that are replaced in an update. What changes?",
    "The mean of each state does not, so neither does the share that is kept; but the states are no longer independent. Two "
    r"that were replaced in the same update are equal then: with $\frac12$ for $p$ and a batch of 2 both are, with probability "
    r"0.25.",
)
def shared_draw():
    both = [1.0 * (max(coins) < 0.5) for coins in product((0.0, 0.5), repeat=2)]
    yield np.mean(both), "0.25"
