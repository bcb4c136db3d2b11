"""Exercises of the lecture: The Frechet distance: two means, two covariances, and a bias."""

import numpy as np

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.frechet_distance import extrapolate_to_infinity, frechet_distance, frechet_feature_distance
from theory_jax.lectures.evaluation._two_gaussians import expected_bias
from theory_jax.lectures.evaluation.frechet_distance import derivation, mu, nu, sigma, tau


@derivation.exercise(
    r"What is the distance of $\mathcal{N}(0, 1)$ and $\mathcal{N}(1, 4)$?",
    prose("It is {sum}.", sum=holds(plus((mu - nu) ** 2, (sigma - tau) ** 2), "=", 2, when={mu: 0, nu: 1, sigma: 1, tau: 2})),
)
def two_gaussians():
    yield frechet_distance(np.zeros(1), np.eye(1), np.ones(1), 4 * np.eye(1)), "2"


@derivation.exercise(
    r"A fair coin on $\pm 1$, and the distribution on $\{-\sqrt2, 0, \sqrt2\}$ with $(\frac14, \frac12, \frac14)$: what are "
    "their Frechet distance and their $W_2^2$?",
    "Means and variances agree, so the Frechet distance is 0. Sorted points are coupled: half of them move by 1, half by "
    r"$\sqrt2 - 1$, and $W_2^2$ is $\frac12 + \frac12 (\sqrt2 - 1)^2$, 0.5858.",
)
def two_moments():
    coin, other = np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([[-np.sqrt(2)], [0.0], [0.0], [np.sqrt(2)]])
    yield np.round(frechet_feature_distance(coin, other), 12), "0"
    yield np.mean((coin - other) ** 2), "0.5858"


@derivation.exercise(
    "Two samples of one standard Gaussian: what is the expected distance of 50 samples each and of 100, and the intercept of the "
    "line through both?",
    "0.06030 and 0.03008. The intercept is -0.00015: what is left of the bias has the other sign.",
)
def extrapolated():
    sizes = np.array([50, 100])
    yield expected_bias(50.0), "0.06030"
    yield expected_bias(100.0), "0.03008"
    yield extrapolate_to_infinity(sizes, expected_bias(sizes.astype(float))), "-0.00015"
