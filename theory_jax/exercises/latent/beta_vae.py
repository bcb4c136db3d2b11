"""Exercises of the lecture: The beta-VAE: a price for every nat of the code."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.parts import value
from theory_jax.latent.beta_vae import gaussian_total_correlation
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.lectures.latent.beta_vae import V, derivation, lam, linear_rate, t


@derivation.exercise(
    "What is the total correlation of two Gaussian coordinates with variances 4 and 9 and covariance 3.6?",
    r"The correlation is 0.6, so it is $-\frac12 \log 0.64$, 0.2231 nats.",
)
def correlated():
    yield gaussian_total_correlation(jnp.array([[[4.0, 3.6], [3.6, 9.0]]]))[0], "0.2231"


@derivation.exercise(
    "Two data are coded without noise in two bits with a uniform prior: once by 00 and 11, once by 00 and 01. What are the rate, "
    "the information, and the total correlation?",
    "The rate is 1.3863 and the information 0.6931 both times. The total correlation is 0.6931 for 00 and 11. For 00 and 01 it "
    "is 0.0000: the other 0.6931 nats are the divergence of the first bit, which never changes.",
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
)
def half_the_rate():
    yield value(linear_rate, {lam: 4, V: sqrt(3) / 4, t: Rational(1, 4)}), "0.6931"
    yield kl_to_standard_normal(jnp.array([[2 * math.sqrt(2) / 4]]), jnp.log(jnp.array([[0.5]])))[0], "0.3466"
