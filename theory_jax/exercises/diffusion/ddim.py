"""Exercises of the lecture: Denoising diffusion implicit models: the same training, other samplers."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import sqrt

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.ddim import ddim_sigma, non_markovian_mean
from theory_jax.lectures.diffusion._ddim import noise_of_gaussian, walk
from theory_jax.lectures.diffusion.ddim import _LEVELS, _ONE, _TWO, A, V_t, a_s, a_t, c, derivation, eta, kept, sigma, x_t


@derivation.exercise(
    r"What are $\sigma_\eta$, $A$ and $B$ for a step to level 0?",
    prose(
        "There {clean}, so {deviation}, {data} and $B$ is 0 for every $\\eta$: the step returns $\\hat x_0$.",
        clean=where(a_s, 1),
        deviation=holds(sigma, "=", 0),
        data=holds(A, "=", 1),
    ),
)
def the_last_step():
    zero, x = np.zeros(1, dtype=int), jnp.array([1.7])
    yield ddim_sigma(_TWO, zero, _LEVELS, eta=0.6)[0], "0"
    yield non_markovian_mean(jnp.ones(1), x, _TWO, zero, _LEVELS, eta=0.6)[0], "1"


@derivation.exercise(
    r"How large may $\eta$ be for the step of the example, and what happens there?",
    prose(
        r"$\sigma_\eta^2$ must not exceed $1 - \bar\alpha_s$. It reaches that for {largest}, in the example at 1.1566, where "
        r"{all}. There $B$ is 0: $x_1$ forgets $x_2$ and is drawn anew around $0.9\, \hat x_0$.",
        largest=where(eta, sqrt((1 - a_t) / (1 - kept))),
        all=holds(sigma**2, "=", 1 - a_s),
    ),
)
def the_most_random_step():
    largest = math.sqrt(0.4816 / 0.36)
    yield largest, "1.1566"
    yield non_markovian_mean(jnp.ones(1), jnp.array([5.0]), _TWO, _ONE, _LEVELS, eta=largest * (1 - 1e-15))[0], "0.9"


@derivation.exercise(
    r"A sampler takes a single step from $T$ to 0, with the best prediction. What does it draw as $\bar\alpha_T$ goes to 0? "
    r"Which variance for data $\mathcal{N}(0, \frac14)$ and a share of 0.01?",
    prose(
        "It draws the mean of the data given $x_T$, and as $x_T$ tells less and less, the mean of all data: the step loses the "
        "whole variance, by the chain on moments with the weight 1 of the data. For Gaussian data the variance is {left}, here "
        "0.00063 in the place of 0.25.",
        left=holds(Expectation(Normal(x_t, 0, V_t), (sqrt(a_t) * c * x_t / V_t) ** 2), "=", a_t * c**2 / V_t, named=True),
    ),
)
def one_step():
    deviation = jnp.array([math.sqrt(0.9925)])
    yield walk(deviation, noise_of_gaussian, jnp.array([1.0, 0.01]))[-1, 0] ** 2, "0.00063"
