"""Exercises of the lecture: The variational autoencoder: one bound, two terms."""

import math

import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.vae import calibrated_gaussian_negative_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal
from theory_jax.lectures.latent.vae import _remaining, derivation, half, known, m, rate, rho, t


@derivation.exercise(
    r"What is the rate of the encoder $\mathcal{N}(1, \frac12)$, and in bits?",
    prose("{rate}, 0.5966 nats, 0.8607 bits.", rate=holds(rate, "=", (half + log(2)) / 2, when={m: 1, t: half}, named=True)),
)
def the_rate_of_the_posterior():
    found = kl_to_standard_normal(jnp.array([[1.0]]), jnp.log(jnp.array([[0.5]])))[0]
    yield found, "0.5966"
    yield found / math.log(2), "0.8607"


@derivation.exercise(
    "An image of 4 pixels is reconstructed with the squared error 1. Compare the losses at the best noise variance and at 1.",
    r"The best variance is $\frac14$, with the loss $2(\log \frac{\pi}{2} + 1)$, which is 2.9032 nats. At variance 1 it is $2 "
    r"\log 2\pi + \frac12$, which is 4.1758.",
)
def the_calibrated_loss():
    image = jnp.array([[1.0, 0.0, 0.0, 0.0]])
    yield calibrated_gaussian_negative_log_likelihood(image, jnp.zeros((1, 4))), "2.9032"
    yield -gaussian_log_likelihood(image, jnp.zeros((1, 4)), jnp.zeros((1, 4))), "4.1758"


@derivation.exercise(
    r"A posterior has two latents with correlation 0.8. How many nats below $\log p(x)$ does the best diagonal encoder stay? "
    r"And for which $\beta$ is $E + \beta R$ the loss of a Gaussian decoder with deviation 0.1?",
    prose(
        "0.5108 nats, half of {gap}, with both variances at {known}. A deviation of 0.1 is a variance of 0.01, so the weight is "
        "twice that, 0.02.",
        gap=holds(-log(known), "=", -log(_remaining), when={rho: Rational(4, 5)}, named=True),
        known=holds(known, "=", _remaining, when={rho: Rational(4, 5)}, named=True),
    ),
)
def a_correlated_posterior():
    yield -0.5 * math.log(1 - 0.8**2), "0.5108"
    yield value(known, {rho: Rational(4, 5)}) * 25, "9"
    yield 2 * 0.1**2, "0.02"
