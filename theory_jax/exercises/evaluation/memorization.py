"""Exercises of the lecture: Memorization: how to detect a generator that repeats its training set."""

import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.memorization import data_copying_z_score
from theory_jax.lectures.evaluation._copies import score_of_copies, share_outside
from theory_jax.lectures.evaluation.memorization import _FRESH, _LINE, P, Q, U, derivation, z


@derivation.exercise(
    r"In the example, the generator returns $0.1, 9.8, 6$. What is $z$?",
    prose(
        "The point $6$ is at the distance 2: above 1, equal to 2, below 2.5. So the count is {count}, and $z$ is {score}, "
        "$-1.3093$.",
        count=where(U, Rational(3, 2)),
        score=holds(z, "=", -sqrt(Rational(12, 7)), when={Q: 3, P: 3}, named=True, wrong={"without the tie": -2}),
    ),
)
def one_tie():
    yield data_copying_z_score(np.array([[0.1], [9.8], [6.0]]), _LINE, _FRESH), "-1.3093"


@derivation.exercise(
    r"How often is a fresh point in the plane authentic, with many training points?",
    "Two unit discs with their centers at distance 1 have the share 0.6090 of their area each for itself: $h/(1 + h)$ is 0.3785.",
)
def authentic_in_the_plane():
    yield share_outside(2), "0.6090"
    yield share_outside(2) / (1 + share_outside(2)), "0.3785"


@derivation.exercise(
    "Of 17 generated and 17 test points all generated ones are copies. What is $z$, what is it with 18 and 18, with 10 and 100, "
    "and with 9 and 1000?",
    r"It is $-4.977$, $-5.125$, $-5.199$ and $-5.170$: many test points make up for few copies.",
)
def how_many_copies():
    for copies, fresh, said in ((17, 17, "-4.977"), (18, 18, "-5.125"), (10, 100, "-5.199"), (9, 1000, "-5.170")):
        yield score_of_copies(copies, fresh), said
