"""Exercises of the lecture: Precision and recall, density and coverage: counts of points in balls."""

from math import comb

import numpy as np
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.precision_recall import density_and_coverage, precision_and_recall
from theory_jax.lectures.evaluation.precision_recall import _LINE, M, N, _expected_coverage, derivation


@derivation.exercise(
    "What is the expected coverage of five generated points from the distribution of five real ones, with one neighbor?",
    prose("It is {coverage}, that is 5/9.", coverage=holds(1 - (N - 1) / (N + M - 1), "=", Rational(5, 9), when={N: 5, M: 5})),
    level="easy",
    hint="There is one neighbor, so the product has one factor.",
)
def five_and_five():
    yield _expected_coverage(5, 1), "5/9"


@derivation.exercise(
    "Real points at $0, 1, 2, 3, 4$ and an outlier at $100$, generated points at $50, 52, 54$, two neighbors: what are the four "
    "numbers?",
    r"The ball of $100$ has radius $97$ and holds all three: precision 1, density $\frac{3}{2 \cdot 3} = 0.5$, coverage 1/6. "
    "Recall is 0, since generated balls have at most radius $4$.",
    level="medium",
    hint="How far does the ball of the outlier reach, and how far the balls of the generated points?",
)
def an_outlier():
    real, samples = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [100.0]]), np.array([[50.0], [52.0], [54.0]])
    yield from zip(
        (*precision_and_recall(real, samples, neighbors=2), *density_and_coverage(real, samples, neighbors=2)),
        ("1", "0", "0.5", "1/6"),
        strict=True,
    )


@derivation.exercise(
    "Of 30 real balls, with five neighbors, 29 hold some of 30 generated points. Are these too few?",
    "Coverage is 0.9667. Of the distribution itself 0.9763 is expected, which is 29.29 balls, so no. In the limit it would be "
    "0.96875.",
    level="easy",
    hint="What does the page expect under the hypothesis, for these numbers?",
)
def thirty_and_thirty():
    yield _expected_coverage(30, 5), "0.9763"
    yield 30 * _expected_coverage(30, 5), "29.29"
    yield 29 / 30, "0.9667"
    yield 1 - 0.5**5, "0.96875"


@derivation.exercise(
    "A paper compares 100 generated images with 1000 real ones, at five neighbors. Which coverage would a perfect generator "
    "have, on average, and how many images would it need for 0.9?",
    r"0.3799: most real balls are empty, since there are few images, not since modes are lost. Nearly $1 - (\frac{N}{N + M})^k$, "
    "which is 0.3791; that is 0.9 at 584.9 images. Compare coverages at equal numbers only.",
    level="medium",
    hint="Insert both numbers into the expected coverage; with many points all its factors are nearly equal.",
)
def few_images():
    yield 1 - comb(999, 5) / comb(1099, 5), "0.3799"
    yield 1 - (1000 / 1100) ** 5, "0.3791"
    yield 1000 * (10 ** (1 / 5) - 1), "584.9"


@derivation.exercise(
    "A generator always makes the same point. Which one gets the precision 1 and the coverage 1 among the real points of the "
    "example, with two neighbors? What are density and recall?",
    "The point 3: it is in all five balls, in four of them on the edge. Precision and coverage are 1 and 1, and density is "
    r"2.5, as large as it can be, $\frac{N}{k}$. Recall is 0.2: the balls of equal points are points. No one of the four "
    "numbers is enough, and a density above 1 is no praise.",
    level="hard",
    hint="Write down the interval of each ball, and look for a point that is in all of them.",
)
def one_point():
    samples = np.full((4, 1), 3.0)
    precise, recalled = precision_and_recall(_LINE, samples, neighbors=2)
    density, covered = density_and_coverage(_LINE, samples, neighbors=2)
    yield np.array([precise, covered]), "1 and 1"
    yield density, "2.5"
    yield recalled, "0.2"
