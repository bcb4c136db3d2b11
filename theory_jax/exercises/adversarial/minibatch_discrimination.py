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
    level="easy",
    hint="Add up the squares of the probabilities, of the mean distribution and in each round.",
)
def coincidences():
    rounds = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    yield (rounds.mean(axis=0) ** 2).sum(), "3/8"
    yield (rounds**2).sum(axis=1).mean(), "1/2"


@derivation.exercise(
    "What is the least pull-away term of 64 rows with 16 features, and which rows have it?",
    r"$\frac{64 - 16}{16 \cdot 63}$, which is 1/21; each of the 16 unit vectors, four times.",
    level="medium",
    hint="Insert the numbers into Welch's bound; which rows have isotropic second moments?",
)
def welch():
    yield Rational(64 - 16, 16 * 63), "1/21"
    yield pull_away_term(jnp.tile(jnp.eye(16), (4, 1))), "1/21"


@derivation.exercise(
    r"A generator always shows the feature 0; data have $\pm 1$, equally often. What do feature matching and the deviation of a "
    "batch of four data, two of each, say?",
    "The mean features are equal, so feature matching says 0; the deviations are 1 and 0.",
    level="easy",
    hint="Compute both means first.",
)
def blind_to_spread():
    data, fakes = jnp.array([[1.0], [-1.0], [1.0], [-1.0]]), jnp.zeros((4, 1))
    yield feature_matching_loss(data, fakes), "0"
    yield [deviation_of(batch[:, 0], 1e-30) for batch in (data, fakes)], "1 and 0"


@derivation.exercise(
    "In a group of four the discriminator gets two data, 1 and -1, and two fakes, 0 and 0, mixed. What does the deviation of "
    "the group say of the fakes, and what does it say in groups of two that are not mixed?",
    "Mixed, all four samples get the same number, 0.7071, and nothing is learned of the fakes. Not mixed, the data get 1 and "
    "the fakes 0: batches must be of one kind.",
    level="medium",
    hint="One number is appended to all samples of a group.",
)
def a_mixed_group():
    data, fakes = jnp.array([1.0, -1.0]), jnp.zeros(2)
    yield deviation_of(jnp.concatenate([data, fakes]), 1e-30), "0.7071"
    yield deviation_of(data, 1e-30), "1"
    yield deviation_of(fakes, 1e-30), "0"


@derivation.exercise(
    "Data are uniform on $K$ states, and in every round the generator leaves out one of them, each equally often, and is "
    "uniform on the others. By how much do two samples coincide too often? About how many pairs show this for 10 states, if "
    "the excess must be two standard errors?",
    r"By $\frac1{K - 1} - \frac1K$, which is 1/90 for 10 states. A coincidence of data has the variance 0.09, so about 2916 "
    "pairs are needed. The excess falls like the inverse square of $K$, so the number of pairs grows like $K^3$: the loss of "
    "one of many modes is hard to see.",
    level="hard",
    hint="The excess is the expected squared distance of a round's distribution from the mean one; the standard error falls "
    "like the root of the number of pairs.",
)
def one_of_many_modes():
    states = 10
    rounds = (1 - np.eye(states)) / (states - 1)
    excess = ((rounds - rounds.mean(axis=0)) ** 2).sum(axis=1).mean()
    yield excess, "1/90"
    variance = 1 / states * (1 - 1 / states)
    yield variance, "0.09"
    yield 4 * variance / excess**2, "2916"
