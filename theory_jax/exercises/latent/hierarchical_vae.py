"""Exercises of the lecture: The hierarchical VAE: a second level is a prior for the first."""

import math

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar
from sympy import Rational, Symbol, integrate, sqrt

from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.hierarchical_vae import precision_weighted_product, residual_gaussian_kl
from theory_jax.lectures.latent.hierarchical_vae import derivation


@derivation.exercise(
    r"What is the product of four equal measurements $\mathcal{N}(3, 2)$?",
    r"$\mathcal{N}(3.0000, 0.5000)$: the precisions add to 2.",
    level="easy",
    hint="Add the precisions; where is the mean of equal means?",
)
def four_measurements():
    one = two = (jnp.array([[3.0]]), jnp.log(jnp.array([[2.0]])))
    for _ in range(3):
        two = precision_weighted_product(*two, *one)
    yield two[0][0, 0], "3.0000"
    yield np.exp(two[1][0, 0]), "0.5000"


@derivation.exercise(
    r"A level has the mean of its prior and twice the variance. What does it cost, and what with half the variance?",
    r"$\frac12 (1 - \log 2)$, 0.1534 nats, and $\frac12 (\log 2 - \frac12)$, 0.0966.",
    level="easy",
    hint="The difference of the means is zero, and the logarithm of the ratio of the variances is that of 2 or of one half.",
)
def another_width():
    zero = jnp.zeros((1, 1))
    yield residual_gaussian_kl(zero, zero + np.log(2), zero)[0], "0.1534"
    yield gaussian_kl_divergence(zero, zero - np.log(2), zero, zero)[0], "0.0966"


@derivation.exercise(
    r"The codes of a VAE fill $\mathcal{N}(0, 1)$ exactly. What do levels above gain, if $x$ depends on $z_1$ only? And "
    r"what if the codes are $\mathcal{N}(1, 1)$?",
    "At most 0 nats for this encoder, by the bound of the gain; and at most 0.5 nats, which a simple prior of mean 1 gains as "
    "well.",
    level="medium",
    hint="Which divergence bounds the gain, and which other prior would gain as much?",
)
def codes_that_fill_the_prior():
    zero = jnp.zeros((1, 1))
    yield gaussian_kl_divergence(zero, zero, zero, zero)[0], "0"
    yield gaussian_kl_divergence(zero + 1, zero, zero, zero)[0], "0.5"


@derivation.exercise(
    r"The prior from above is $\mathcal{N}(0, 1)$, and the exact posterior $\mathcal{N}(2, \frac13)$. A network has learned the "
    "posterior as its message from below, and the code multiplies it with the prior. What comes out, what does the error cost as "
    "a divergence from the posterior, and which message would have been right?",
    r"$\mathcal{N}(1.5, 0.25)$, which is too narrow and too near to the prior: the prior counts twice, at a cost of 0.3938 "
    r"nats. The right message is $\mathcal{N}(3, 0.5)$, the posterior with the prior's precision taken off.",
    level="medium",
    hint="Precisions add: which one does the message need so that the sum is that of the posterior?",
)
def counted_twice():
    def level(mean, variance):
        return jnp.array([[mean]]), jnp.log(jnp.array([[variance]]))

    made, exact = precision_weighted_product(*level(0.0, 1.0), *level(2.0, 1 / 3)), level(2.0, 1 / 3)
    yield (made[0][0, 0], np.exp(made[1][0, 0])), "(1.5, 0.25)"
    yield gaussian_kl_divergence(*made, *exact)[0], "0.3938"
    right = precision_weighted_product(*level(0.0, 1.0), *level(3.0, 0.5))
    yield gaussian_kl_divergence(*right, *exact)[0], "0"


@derivation.exercise(
    r"The codes of a VAE are uniform on $[-\sqrt3, \sqrt3]$, with mean 0 and variance 1. How does the gain of a second level "
    "of two symmetric states begin, what is the most that it reaches, and what is the most for any second level?",
    r"The excess kurtosis is $-\frac65$, so it begins with $\frac{1}{10} \theta^4$. Its largest value is 0.0759 nats at 0.8347, "
    "out of 0.1765, the divergence of the codes from the simple prior: two states are not enough to make a uniform prior. "
    "Training from zero dependence starts without slope.",
    level="hard",
    hint="The fourth moment is an integral; the rest is a search over one number, and a divergence from the normal density.",
)
def uniform_codes():
    width = math.sqrt(3)
    z = (np.arange(20000) + 0.5) / 20000 * 2 * width - width

    def log_normal(mean, variance):
        return -0.5 * math.log(2 * math.pi * variance) - (z - mean) ** 2 / (2 * variance)

    def gain(theta):
        states = np.logaddexp(log_normal(theta, 1 - theta**2), log_normal(-theta, 1 - theta**2)) - math.log(2)
        return np.mean(states - log_normal(0, 1))

    code = Symbol("z")
    average = integrate(-(code**4 - 6 * code**2 + 3) / 12, (code, -sqrt(3), sqrt(3))) / (2 * sqrt(3))
    yield average, Rational(1, 10)
    best = minimize_scalar(lambda theta: -gain(theta), bounds=(0.1, 0.99), method="bounded", options={"xatol": 1e-9})
    yield best.x, "0.8347"
    yield -best.fun, "0.0759"
    yield np.mean(-math.log(2 * width) - log_normal(0, 1)), "0.1765"
