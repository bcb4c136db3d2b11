"""Exercises of the lecture: The variational autoencoder: one bound, two terms."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, log, solve

from theory_jax.derivation.notation import Divergence
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.vae import calibrated_gaussian_negative_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal
from theory_jax.lectures.latent.vae import _exact_case, _remaining, derivation, encoder, exact, half, known, m, rate, rho, t


@derivation.exercise(
    r"What is the rate of the encoder $\mathcal{N}(1, \frac12)$, and in bits?",
    prose("{rate}, 0.5966 nats, 0.8607 bits.", rate=holds(rate, "=", (half + log(2)) / 2, when={m: 1, t: half}, named=True)),
    level="easy",
    hint="The rate is half of a sum of four terms; a bit has $\\log 2$ nats.",
)
def the_rate_of_the_posterior():
    found = kl_to_standard_normal(jnp.array([[1.0]]), jnp.log(jnp.array([[0.5]])))[0]
    yield found, "0.5966"
    yield found / math.log(2), "0.8607"


@derivation.exercise(
    "An image of 4 pixels is reconstructed with the squared error 1. Compare the losses at the best noise variance and at 1.",
    r"The best variance is $\frac14$, with the loss $2(\log \frac{\pi}{2} + 1)$, which is 2.9032 nats. At variance 1 it is $2 "
    r"\log 2\pi + \frac12$, which is 4.1758.",
    level="easy",
    hint="The best noise variance is the mean squared error over the pixels.",
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
    level="medium",
    hint="For two latents the best diagonal encoder has, in each, the posterior's variance given the other.",
)
def a_correlated_posterior():
    yield -0.5 * math.log(1 - 0.8**2), "0.5108"
    yield value(known, {rho: Rational(4, 5)}) * 25, "9"
    yield 2 * 0.1**2, "0.02"


@derivation.exercise(
    "A loss adds the rate to the squared error averaged over 784 pixels. Which noise variance does its Gaussian decoder have? "
    "Pixels are between 0 and 1; can any direction of the images have as much variance?",
    "The noise variance is 392. A pixel has at most the variance 0.25, and all together at most 196, so no direction has as "
    "much as the noise. In a linear VAE every latent then collapses (latent/vae_training). Sum over the pixels.",
    level="medium",
    hint="Compare the factor in front of the squared error with that of a Gaussian log-density.",
)
def averaged_over_the_pixels():
    pixels, noise, share = 784, Symbol("s", positive=True), Symbol("a")
    yield solve(1 / (2 * noise) - Rational(1, pixels), noise)[0], "392"
    largest = (share * (1 - share)).subs(share, solve((share * (1 - share)).diff(share), share)[0])  # at an end or the other
    yield largest, "0.25"
    yield pixels * largest, "196"


@derivation.exercise(
    "The mean of an encoder is right, its variance is wrong by a factor $f$ or by $1/f$, with $f$ above 1. Which error costs "
    "more? Compute both costs at a factor of 2.",
    "Twice the best variance costs 0.1534 nats, half of it 0.0966. Too wide always costs more: the difference is "
    r"$\frac12 (f - \frac1f) - \log f$, zero at 1 and with the slope $\frac12 (1 - \frac1f)^2$.",
    level="medium",
    hint="Write the gap as a function of the ratio of the variance and its best value, and differentiate the difference.",
)
def too_wide_or_too_narrow():
    for variance, cost in ((1, "0.1534"), (Rational(1, 4), "0.0966")):  # the posterior of the example has the variance 1/2
        yield value(Divergence(encoder, exact), _exact_case | {m: 1, t: variance}), cost
    f = Symbol("f", positive=True)
    difference = ((f - 1 - log(f)) - (1 / f - 1 + log(f))) / 2
    yield difference.diff(f), (1 - 1 / f) ** 2 / 2
    yield difference.subs(f, 1), Rational(0)


@derivation.exercise(
    r"A decoder cannot tell $z$ from $-z$, and for some image the posterior is half $\mathcal{N}(3, \frac14)$, half "
    r"$\mathcal{N}(-3, \frac14)$. Which gap has the encoder $\mathcal{N}(3, \frac14)$, and which one that has the posterior's "
    "mean and variance? Which of them does training prefer?",
    r"The first has the gap 0.6931, $\log 2$: it leaves out one half. The second, with the variance 9.25, has 5.7586: two thirds "
    "of its mass are more than two deviations from both bumps. So training prefers one of the bumps, and which one is left to "
    "chance.",
    level="hard",
    hint="At its own bump the first encoder is twice the posterior; for the second, integrate on a grid.",
)
def two_bumps():
    line = np.linspace(-30.0, 30.0, 60001)

    def log_density(mean, variance):
        return -((line - mean) ** 2) / (2 * variance) - math.log(2 * math.pi * variance) / 2

    posterior = np.logaddexp(log_density(3.0, 0.25), log_density(-3.0, 0.25)) - math.log(2)
    spread = np.exp(posterior) @ line**2 * (line[1] - line[0])
    for mean, variance, missing in ((3.0, 0.25, "0.6931"), (0.0, spread, "5.7586")):
        log_q = log_density(mean, variance)
        yield np.exp(log_q) @ (log_q - posterior) * (line[1] - line[0]), missing
    yield spread, "9.25"
