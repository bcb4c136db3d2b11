"""Exercises of the lecture: The beta-VAE: a price for every nat of the code."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, log, solve, sqrt

from theory_jax.derivation.parts import value
from theory_jax.latent.beta_vae import capacity_objective, gaussian_total_correlation
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.lectures.latent.beta_vae import R_best, T, V, _coin, derivation, lam, linear_rate, t, tempered


@derivation.exercise(
    "What is the total correlation of two Gaussian coordinates with variances 4 and 9 and covariance 3.6?",
    r"The correlation is 0.6, so it is $-\frac12 \log 0.64$, 0.2231 nats.",
    level="easy",
    hint="The scales do not count: compute the correlation first.",
)
def correlated():
    yield gaussian_total_correlation(jnp.array([[[4.0, 3.6], [3.6, 9.0]]]))[0], "0.2231"


@derivation.exercise(
    "In the example, with the likelihoods 0.9 and 0.1, what is the best encoder at weight one half? Is its rate higher or lower "
    "than that of the posterior?",
    "The likelihoods are squared, 0.81 and 0.01, so it is (0.9878, 0.0122). Its rate is 0.6273 against 0.3681: a weight below 1 "
    "makes the code surer than the posterior is.",
    level="easy",
    hint="The best encoder is the posterior of a power of the likelihood; which one?",
)
def surer_than_the_posterior():
    yield value(tempered, _coin | {T: 2}), "(0.9878, 0.0122)"
    yield value(R_best, _coin | {T: 2}), "0.6273"
    yield value(R_best, _coin | {T: 1}), "0.3681"


@derivation.exercise(
    "Two data are coded without noise in two bits with a uniform prior: once by 00 and 11, once by 00 and 01. What are the rate, "
    "the information, and the total correlation?",
    "The rate is 1.3863 and the information 0.6931 both times. The total correlation is 0.6931 for 00 and 11. For 00 and 01 it "
    "is 0.0000: the other 0.6931 nats are the divergence of the first bit, which never changes.",
    level="medium",
    hint="Write down the distribution of all codes, and those of both bits.",
)
def two_bits():
    for codes, dependence in (([[0.5, 0.0], [0.0, 0.5]], "0.6931"), ([[0.5, 0.5], [0.0, 0.0]], "0.0000")):
        law = np.array(codes)
        used = law > 0
        yield np.log(1 / 0.25), "1.3863"
        yield -(law[used] * np.log(law[used])).sum(), "0.6931"
        yield (law[used] * np.log(law[used] / np.outer(law.sum(1), law.sum(0))[used])).sum(), dependence


@derivation.exercise(
    "At which weight does the linear latent with variance 4 and noise 1 have half the rate that it has at weight 1, and what is "
    "its decoder's weight there?",
    r"At 2: the rate falls from $\frac12 \log 4$, 0.6931, to $\frac12 \log 2$, 0.3466, and the decoder's squared weight is 2.",
    level="medium",
    hint="The rate of the best encoder is half of the logarithm of $\\lambda / (\\beta s)$.",
)
def half_the_rate():
    yield value(linear_rate, {lam: 4, V: sqrt(3) / 4, t: Rational(1, 4)}), "0.6931"
    yield kl_to_standard_normal(jnp.array([[2 * math.sqrt(2) / 4]]), jnp.log(jnp.array([[0.5]])))[0], "0.3466"


@derivation.exercise(
    r"The linear latent with variance 4 and noise 1 is trained with $D + \gamma |R - C|$, at the capacity 0.3466. How large must "
    r"$\gamma$ be for the rate to reach this target, and what is the rate at $\gamma$ of 1?",
    "The smallest distortion at the rate $R$ is $2 e^{-2R}$, up to a constant, with the slope -2 at the target. So 2 is needed; "
    "from there on the rate is 0.3466, however large the factor. With 1 the rate is 0.6931, twice the target: it is that of a "
    "weight of 1, and the capacity has no effect.",
    level="hard",
    hint="Write the smallest distortion as a function of the rate; above the target the absolute value has a constant slope.",
)
def a_target_that_is_not_held():
    price, target, rate = Symbol("beta", positive=True), math.log(2) / 2, Symbol("R")
    of_price = solve(log(4 / price) / 2 - rate, price)[0]  # the page: the rate is half of this logarithm
    least = of_price / 2  # and the distortion half of the price
    yield least, 2 * exp(-2 * rate)
    yield float(least.diff(rate).subs(rate, log(2) / 2)), "-2"
    rates = jnp.linspace(0, 2, 2_000_001)
    for factor, reached in ((2.0, "0.3466"), (50.0, "0.3466"), (1.0, "0.6931")):
        loss = capacity_objective(2 * jnp.exp(-2 * rates), rates, gamma=factor, capacity=target)
        yield rates[jnp.argmin(loss)], reached
