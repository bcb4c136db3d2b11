"""Exercises of the lecture: Batches against mode collapse."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.adversarial.minibatch_discrimination import feature_matching_loss, pull_away_term
from theory_jax.lectures.adversarial.minibatch_discrimination import derivation, deviation_of


@derivation.exercise(
    r"How often do two samples coincide for data $(\frac12, \frac14, \frac14)$, and how often for a generator that leaves out "
    r"the third state in half of the rounds and the second in the others, $(\frac12, \frac12, 0)$ or $(\frac12, 0, \frac12)$?",
    r"$\frac14 + \frac1{16} + \frac1{16}$, which is 3/8, and 1/2 in every round, though the mean distribution is that of the "
    "data.",
)
def coincidences():
    rounds = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    yield (rounds.mean(axis=0) ** 2).sum(), "3/8"
    yield (rounds**2).sum(axis=1).mean(), "1/2"


@derivation.exercise(
    "What is the least pull-away term of 64 rows with 16 features, and which rows have it?",
    r"$\frac{64 - 16}{16 \cdot 63}$, which is 1/21; each of the 16 unit vectors, four times.",
)
def welch():
    yield Rational(64 - 16, 16 * 63), "1/21"
    yield pull_away_term(jnp.tile(jnp.eye(16), (4, 1))), "1/21"


@derivation.exercise(
    r"A generator always shows the feature 0; data have $\pm 1$, equally often. What do feature matching and the deviation of a "
    "batch of four data, two of each, say?",
    "The mean features are equal, so feature matching says 0; the deviations are 1 and 0.",
)
def blind_to_spread():
    data, fakes = jnp.array([[1.0], [-1.0], [1.0], [-1.0]]), jnp.zeros((4, 1))
    yield feature_matching_loss(data, fakes), "0"
    yield [deviation_of(batch[:, 0], 1e-30) for batch in (data, fakes)], "1 and 0"
