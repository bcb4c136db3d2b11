"""Exercises of the lecture: Memorization: how to detect a generator that repeats its training set."""

import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.memorization import authenticity, data_copying_z_score, nearest_distance_ratio
from theory_jax.lectures.evaluation._copies import score_of_copies, share_outside
from theory_jax.lectures.evaluation.memorization import _FRESH, _LINE, P, Q, U, derivation, lowest, z


@derivation.exercise(
    r"In the example, the generator returns $0.1, 9.8, 6$. What is $z$?",
    prose(
        "The point $6$ is at the distance 2: above 1, equal to 2, below 2.5. So the count is {count}, and $z$ is {score}, "
        "$-1.3093$.",
        count=where(U, Rational(3, 2)),
        score=holds(z, "=", -sqrt(Rational(12, 7)), when={Q: 3, P: 3}, named=True, wrong={"without the tie": -2}),
    ),
    level="easy",
    hint="Find the distance of the new point, and count the ties half.",
)
def one_tie():
    yield data_copying_z_score(np.array([[0.1], [9.8], [6.0]]), _LINE, _FRESH), "-1.3093"


@derivation.exercise(
    r"How often is a fresh point in the plane authentic, with many training points?",
    "Two unit discs with their centers at distance 1 have the share 0.6090 of their area each for itself: $h/(1 + h)$ is 0.3785.",
    level="easy",
    hint="Insert the share for the plane that the page derives.",
)
def authentic_in_the_plane():
    yield share_outside(2), "0.6090"
    yield share_outside(2) / (1 + share_outside(2)), "0.3785"


@derivation.exercise(
    "Of 17 generated and 17 test points all generated ones are copies. What is $z$, what is it with 18 and 18, with 10 and 100, "
    "and with 9 and 1000?",
    r"It is $-4.977$, $-5.125$, $-5.199$ and $-5.170$: many test points make up for few copies.",
    level="medium",
    hint="For copies the count is zero; insert both numbers of points into the lowest score.",
)
def how_many_copies():
    for copies, fresh, said in ((17, 17, "-4.977"), (18, 18, "-5.125"), (10, 100, "-5.199"), (9, 1000, "-5.170")):
        yield score_of_copies(copies, fresh), said


@derivation.exercise(
    "A tenth of the generated points are copies, the others are fresh. What is the expected $z$ with 1000 generated and 1000 "
    "test points? Which share of copies is expected to give $-5$ with 1000, and with 10000 of each?",
    r"Pairs with a copy count nothing and the others one half, so the expected $z$ is a tenth of $z_{\min}$, -3.872. It is "
    "$-5$ at 0.1291, and with 10000 at 0.0408. Few copies hide in a small sample: the score says that there are enough, not "
    "that there are any.",
    level="medium",
    hint="What does each pair contribute on average, with a copy and with a fresh point?",
)
def a_share_of_copies():
    yield 0.1 * score_of_copies(1000, 1000), "-3.872"
    yield -5 / score_of_copies(1000, 1000), "0.1291"
    yield -5 / value(lowest, {Q: 10_000, P: 10_000}), "0.0408"


@derivation.exercise(
    "Find a generator that neither learned the distribution nor repeats all its training points, and has the score 0. Which "
    "numbers of the page give it away? Try it on the training and the test points of the example, with four generated points.",
    "Half copies, and half points that are farther away than any test point, such as 0, 4, 30 and 40: half of the pairs count, "
    "and $z$ is 0. The mean authenticity is 0.5, that of the test points 0; and the ratios of single points are 0 for both "
    "copies, while the others are 0.7692 and 0.8333. Copying and missing the distribution cancel in one number.",
    level="hard",
    hint="The count compares distances; points that are too near can be balanced by points that are too far.",
)
def copies_and_nonsense():
    generated = np.array([[0.0], [4.0], [30.0], [40.0]])
    yield data_copying_z_score(generated, _LINE, _FRESH), "0"
    yield np.mean(authenticity(generated, _LINE)), "0.5"
    yield np.mean(authenticity(_FRESH, _LINE)), "0"
    ratios = nearest_distance_ratio(generated, _LINE)
    yield ratios[:2].sum(), "0"
    yield ratios[2:], "0.7692 and 0.8333"
