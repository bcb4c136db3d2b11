"""Exercises of the lecture: Precision and recall, density and coverage: counts of points in balls."""

import numpy as np
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.precision_recall import density_and_coverage, precision_and_recall
from theory_jax.lectures.evaluation.precision_recall import M, N, _expected_coverage, derivation


@derivation.exercise(
    "What is the expected coverage of five generated points from the distribution of five real ones, with one neighbor?",
    prose("It is {coverage}, that is 5/9.", coverage=holds(1 - (N - 1) / (N + M - 1), "=", Rational(5, 9), when={N: 5, M: 5})),
)
def five_and_five():
    yield _expected_coverage(5, 1), "5/9"


@derivation.exercise(
    "Real points at $0, 1, 2, 3, 4$ and an outlier at $100$, generated points at $50, 52, 54$, two neighbors: what are the four "
    "numbers?",
    r"The ball of $100$ has radius $97$ and holds all three: precision 1, density $\frac{3}{2 \cdot 3} = 0.5$, coverage 1/6. "
    "Recall is 0, since generated balls have at most radius $4$.",
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
)
def thirty_and_thirty():
    yield _expected_coverage(30, 5), "0.9763"
    yield 30 * _expected_coverage(30, 5), "29.29"
    yield 29 / 30, "0.9667"
    yield 1 - 0.5**5, "0.96875"
