"""Exercises of the lecture: The Frechet distance: two means, two covariances, and a bias."""

import numpy as np
from scipy.optimize import minimize_scalar

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.frechet_distance import (
    diagonal_frechet_distance,
    extrapolate_to_infinity,
    frechet_distance,
    frechet_feature_distance,
)
from theory_jax.lectures.evaluation._two_gaussians import expected_bias
from theory_jax.lectures.evaluation.frechet_distance import derivation, mu, nu, sigma, tau


@derivation.exercise(
    r"What is the distance of $\mathcal{N}(0, 1)$ and $\mathcal{N}(1, 4)$?",
    prose("It is {sum}.", sum=holds(plus((mu - nu) ** 2, (sigma - tau) ** 2), "=", 2, when={mu: 0, nu: 1, sigma: 1, tau: 2})),
    level="easy",
    hint="In one dimension it takes the standard deviations, not the variances.",
)
def two_gaussians():
    yield frechet_distance(np.zeros(1), np.eye(1), np.ones(1), 4 * np.eye(1)), "2"


@derivation.exercise(
    "Real images have 2048 uncorrelated features of mean 0 and variance 1. Generated images are perfect, but are resized in "
    "another way, which multiplies all their features by 1.1. What is the distance?",
    "It is 20.48: each feature adds 0.01. It is as large as the difference between two models, so both sets of images must be "
    "prepared by the same code.",
    level="easy",
    hint="With diagonal covariances the features add up.",
)
def another_resize():
    zero = np.zeros((1, 2048))
    yield diagonal_frechet_distance(zero, zero, zero, zero + 2 * np.log(1.1)), "20.48"
    yield diagonal_frechet_distance(zero[:, :1], zero[:, :1], zero[:, :1], zero[:, :1] + 2 * np.log(1.1)), "0.01"


@derivation.exercise(
    "Two samples of one standard Gaussian: what is the expected distance of 50 samples each and of 100, and the intercept of the "
    "line through both?",
    "0.06030 and 0.03008. The intercept is -0.00015: what is left of the bias has the other sign.",
    level="medium",
    hint="The page has the expected distance; a line through two points has its intercept by hand.",
)
def extrapolated():
    sizes = np.array([50, 100])
    yield expected_bias(50.0), "0.06030"
    yield expected_bias(100.0), "0.03008"
    yield extrapolate_to_infinity(sizes, expected_bias(sizes.astype(float))), "-0.00015"


@derivation.exercise(
    "The number that is reported is the squared distance. Does it fulfill the triangle inequality? Try three Gaussians of "
    "variance 1, around 0, 1 and 2.",
    "It does not: from the first to the last it is 4, but 1 and 1 by way of the second. Only its root is a metric. So values of "
    "two models against the same data do not bound the value of one model against the other by their sum.",
    level="medium",
    hint="The covariances agree, so only the means count.",
)
def no_triangle():
    for start, end, said in ((0.0, 2.0, "4"), (0.0, 1.0, "1"), (1.0, 2.0, "1")):
        yield frechet_distance(np.full(1, start), np.eye(1), np.full(1, end), np.eye(1)), said


@derivation.exercise(
    r"A fair coin on $\pm 1$, and the distribution on $\{-\sqrt2, 0, \sqrt2\}$ with $(\frac14, \frac12, \frac14)$: what are "
    "their Frechet distance and their $W_2^2$?",
    "Means and variances agree, so the Frechet distance is 0. Sorted points are coupled: half of them move by 1, half by "
    r"$\sqrt2 - 1$, and $W_2^2$ is $\frac12 + \frac12 (\sqrt2 - 1)^2$, 0.5858.",
    level="hard",
    hint="Compare the first two moments; then sort the points of both, and match them in this order.",
)
def two_moments():
    coin, other = np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([[-np.sqrt(2)], [0.0], [0.0], [np.sqrt(2)]])
    yield np.round(frechet_feature_distance(coin, other), 12), "0"
    yield np.mean((coin - other) ** 2), "0.5858"


@derivation.exercise(
    r"Data are $\mathcal{N}(0, 1)$, and a generator can choose the deviation of $\mathcal{N}(0, \tau^2)$. Which deviation has "
    "the smallest expected distance, if it is estimated from 50 samples of each?",
    r"With $c_N^2$ of the page, 0.98985, it is $c_N^2 / (1 + \frac1N)$, 0.9704, and not 1: the expected distance there is "
    "0.0594, against 0.0603 at 1. With few samples the estimate rewards a generator that is too narrow.",
    level="hard",
    hint=r"The means differ by $(1 + \tau^2)/N$ in the mean square; the estimated deviations are independent, with means $c_N$ "
    r"and $\tau c_N$.",
)
def too_narrow():
    size = 50.0
    square = 1 - (expected_bias(size) - 2 / size) / 2
    yield square, "0.98985"

    def expected(tau):
        return (1 + tau**2) / size + 1 + tau**2 - 2 * tau * square

    best = minimize_scalar(expected, bounds=(0.5, 1.5), method="bounded")
    yield square / (1 + 1 / size), "0.9704"
    yield best.x, "0.9704"
    yield best.fun, "0.0594"
    yield expected(1.0), "0.0603"
    yield expected_bias(size), "0.0603"
