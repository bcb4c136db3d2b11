"""Exercises of the lecture: Probability paths: the velocity that moves noise onto a data point."""

import math

import jax.numpy as jnp

from theory_jax.flows.probability_paths import cosine_coefficients, optimal_transport_path, variance_preserving_coefficients
from theory_jax.lectures.flows.probability_paths import derivation


@derivation.exercise(
    r"What is the distribution of the optimal-transport path at time 1, given $x_1 = 3$, for $s = 0.1$?",
    r"$\mathcal{N}(3, 0.01)$: the place is $x_1 + s x_0$, so noise of 1 ends at 3.1.",
)
def what_is_left():
    end = optimal_transport_path(jnp.array([[0.0], [1.0]]), jnp.full((2, 1), 3.0), jnp.ones(2), sigma_min=0.1)[0]
    yield end[0, 0], "3"
    yield end[1, 0], "3.1"
    yield (end[1, 0] - end[0, 0]) ** 2, "0.01"


@derivation.exercise(
    r"At which time does the cosine path have the ratio of signal to noise that the linear path has at time $\frac14$?",
    r"$\alpha/\sigma = \tan(\pi t/2)$ is $1 : 3$ at $t = 0.2048$.",
)
def the_same_ratio():
    when = 2 / math.pi * math.atan(1 / 3)
    yield when, "0.2048"
    alpha, sigma, *_ = cosine_coefficients(jnp.array(when))
    yield sigma / alpha, "3"


@derivation.exercise(
    r"How far from pure noise does the variance-preserving path start, for $x_1 = 1$ and the usual rates from 0.1 to 20?",
    r"$\alpha(0) = 0.00657$. The divergence of $\mathcal{N}(\alpha, \sigma^2)$ from $\mathcal{N}(0, 1)$ is $\frac12 (\alpha^2 + "
    r"\sigma^2 - 1 - \log \sigma^2) = -\frac12 \log(1 - \alpha^2)$, which is 0.0000216 nats.",
)
def not_quite_noise():
    alpha, sigma, *_ = variance_preserving_coefficients(jnp.array(0.0))
    yield alpha, "0.00657"
    yield (alpha**2 + sigma**2 - 1 - 2 * jnp.log(sigma)) / 2, "0.0000216"
