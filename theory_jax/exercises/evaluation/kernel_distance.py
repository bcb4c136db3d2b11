"""Exercises of the lecture: Kernel distances: which differences they see, and an estimate without bias."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Expectation, plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.kernel_distance import gaussian_kernel, polynomial_kernel
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
)
def the_linear_kernel():
    points, weights = jnp.array([[0.0], [1.0]]), jnp.array([0.25, -0.25])
    yield weights @ polynomial_kernel(points, points, degree=1) @ weights, "0.0625"


@derivation.exercise(
    r"A fair coin on $\pm 1$ and the distribution on $\{-\sqrt3, 0, \sqrt3\}$ with $(\frac16, \frac23, \frac16)$: what is "
    "their distance, with the cubic kernel and with a Gaussian of bandwidth 1?",
    r"Three moments agree, 0, 1 and 0, so the cubic kernel gives 0. The Gaussian gives 0.0953.",
)
def three_equal_moments():
    points = jnp.array([[-1.0], [1.0], [-np.sqrt(3)], [0.0], [np.sqrt(3)]])
    weights = jnp.array([1 / 2, 1 / 2, -1 / 6, -2 / 3, -1 / 6])
    yield weights @ polynomial_kernel(points, points) @ weights, "0"
    yield weights @ gaussian_kernel(points, points, bandwidth=1.0) @ weights, "0.0953"


@derivation.exercise(
    "By how much is the estimate with the diagonals too large in expectation, for the example's distributions and two points "
    "each?",
    r"The features' variances sum to $\frac74 = 1.75$ under $p$ and $\frac{21}{16}$ under $q$, so by half of both: 1.53125.",
)
def the_bias_of_two_points():
    features = np.array([np.sqrt(3), np.sqrt(3), 1.0])  # of the point 1; all are 0 at the point 0
    scatter = [(features**2).sum() * chance * (1 - chance) for chance in (1 / 2, 3 / 4)]
    yield scatter[0], "1.75"
    yield sum(scatter) / 2, "1.53125"
