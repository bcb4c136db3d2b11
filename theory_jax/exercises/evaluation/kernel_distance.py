"""Exercises of the lecture: Kernel distances: which differences they see, and an estimate without bias."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Expectation, plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.kernel_distance import biased_discrepancy, gaussian_kernel, polynomial_kernel, unbiased_discrepancy
from theory_jax.lectures.evaluation.kernel_distance import ab, derivation, moment, p, q, y


@derivation.exercise(
    r"Which distance has the linear kernel, of degree 1, in one dimension?",
    prose(
        "The kernel {linear} has the features 1 and $a$, so its distance is {square}. Of the example's distributions it is "
        "0.0625.",
        linear=plus(ab, 1),
        square=holds(
            plus(
                Expectation(p, Expectation(p.at(y), ab + 1)),
                Expectation(q, Expectation(q.at(y), ab + 1)),
                -2 * Expectation(p, Expectation(q.at(y), ab + 1)),
            ),
            "=",
            moment[0] ** 2,
            named=True,
        ),
    ),
    level="medium",
    hint="Write the kernel as a sum of products of a function of the one position and the same function of the other.",
)
def the_linear_kernel():
    points, weights = jnp.array([[0.0], [1.0]]), jnp.array([0.25, -0.25])
    yield weights @ polynomial_kernel(points, points, degree=1) @ weights, "0.0625"


@derivation.exercise(
    r"A fair coin on $\pm 1$ and the distribution on $\{-\sqrt3, 0, \sqrt3\}$ with $(\frac16, \frac23, \frac16)$: what is "
    "their distance, with the cubic kernel and with a Gaussian of bandwidth 1?",
    r"Three moments agree, 0, 1 and 0, so the cubic kernel gives 0. The Gaussian gives 0.0953.",
    level="easy",
    hint="Compute the first three moments of both before any kernel.",
)
def three_equal_moments():
    points = jnp.array([[-1.0], [1.0], [-np.sqrt(3)], [0.0], [np.sqrt(3)]])
    weights = jnp.array([1 / 2, 1 / 2, -1 / 6, -2 / 3, -1 / 6])
    yield weights @ polynomial_kernel(points, points) @ weights, "0"
    yield weights @ gaussian_kernel(points, points, bandwidth=1.0) @ weights, "0.0953"


@derivation.exercise(
    "By how much is the estimate with the diagonals too large in expectation, for the example's distributions and two points "
    "each?",
    r"The features' variances sum to $\frac74$, or 1.75, under $p$ and $\frac{21}{16}$ under $q$, so by half of both: 1.53125.",
    level="easy",
    hint="The cubic kernel has three features that vary; what is the variance of a feature that is zero at one of two points?",
)
def the_bias_of_two_points():
    features = np.array([np.sqrt(3), np.sqrt(3), 1.0])  # of the point 1; all are 0 at the point 0
    scatter = [(features**2).sum() * chance * (1 - chance) for chance in (1 / 2, 3 / 4)]
    yield scatter[0], "1.75"
    yield sum(scatter) / 2, "1.53125"


@derivation.exercise(
    r"A fair coin on $\pm 1$ and the distribution on $\{-\frac12, 2\}$ with $(\frac45, \frac15)$ have the same mean and "
    "variance. What is their distance with the cubic kernel? What is it if all features are multiplied by 10? And how does the "
    "share of the means in a distance change?",
    "Only the third moments differ, by 1.5: the distance is 2.25. Of features that are ten times as large it is 2250000, a "
    "million times as much, while what the means contribute grows by the factor 100. So the unit of the features decides what "
    "the distance is about. Values can be compared only if they come from the same features in the same unit.",
    level="medium",
    hint="How does a moment of order three change if every position is multiplied by ten?",
)
def another_unit():
    points, weights = jnp.array([[-1.0], [1.0], [-0.5], [2.0]]), jnp.array([0.5, 0.5, -0.8, -0.2])
    once, tenfold = (weights @ polynomial_kernel(scale * points, scale * points) @ weights for scale in (1.0, 10.0))
    yield -weights @ points[:, 0] ** 3, "1.5"
    yield once, "2.25"
    yield tenfold, "2250000"


@derivation.exercise(
    "With a Gaussian kernel and two points of each distribution, how negative can the estimate from pairs of different points "
    "be? When does it come near to that?",
    "The estimate from all pairs is never negative. The other one is that plus half of the two kernels of different points, "
    "minus 1. So it is above -1. It comes near if both samples are the same two points, far from each other: for 0 and 4 in "
    "both, and the bandwidth 1, it is -0.9997. These samples could not be more alike, and the estimate says that, and that the "
    "points within each are far apart: nothing about how well the distributions agree.",
    level="hard",
    hint="Compare the estimate with that from all pairs, which is known to be never negative.",
)
def the_lowest_estimate():
    two, other = jnp.array([[0.0], [4.0]]), jnp.array([[0.3], [-1.1]])
    same = gaussian_kernel(two, two, bandwidth=1.0)
    yield unbiased_discrepancy(same, same, same), "-0.9997"
    yield biased_discrepancy(same, same, same), "0"
    kernels = same, gaussian_kernel(other, other, bandwidth=1.0), gaussian_kernel(two, other, bandwidth=1.0)
    gap = unbiased_discrepancy(*kernels) - biased_discrepancy(*kernels)
    yield gap - (kernels[0][0, 1] + kernels[1][0, 1]) / 2, "-1"
