"""Exercises of the lecture: Guessing the code from the image."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from sympy import Rational, eye, log, ones, sqrt

from theory_jax.adversarial.latent_regression import gaussian_information_bound, latent_regression_loss, linear_generator_inverse
from theory_jax.lectures.adversarial.latent_regression import derivation


@derivation.exercise(
    r"A network recovers a code of two coordinates without any error, and its variance is fixed at 1. What is the bound?",
    "1 nat, half a nat a coordinate, although the information of an invertible generator of continuous codes is infinite.",
    level="easy",
    hint="Every coordinate's term has three parts; which of them are zero?",
)
def perfect_recovery():
    codes = jnp.array([[0.3, -1.2]])
    yield gaussian_information_bound(codes, codes, jnp.zeros((1, 2)))[0], "1"


@derivation.exercise(
    r"The code is 1 with probability $\frac34$ and otherwise $-1$, given the image. Which guess has the least squared error, and "
    "how large is it?",
    "The mean, 0.5, which is no code; the error is the variance, 0.75.",
    level="easy",
    hint="The page says which guess it is; its error is a variance.",
)
def the_mean_of_two_codes():
    codes, weights = jnp.array([[1.0], [-1.0]]), np.array([0.75, 0.25])
    guesses = np.linspace(-1, 1, 9)
    errors = [weights @ latent_regression_loss(codes, jnp.full((2, 1), guess)) for guess in guesses]
    yield guesses[np.argmin(errors)], "0.5"
    yield min(errors), "0.75"


@derivation.exercise(
    r"A generator makes one pixel, twice the code, with noise of variance 1, and codes have the prior $\mathcal{N}(0, 1)$. "
    "Which variance do the best guesses of the codes have? Can they be used as samples of the prior?",
    "0.8: the guess is 0.4 of the pixel, and the pixel has the variance 5. The guesses are too short, since the variance 0.2 "
    "of the posterior is missing; to have samples of the prior, noise of this variance must be added.",
    level="medium",
    hint="The best guess solves the ridge problem with the noise's variance as the ridge.",
)
def guesses_are_too_short():
    slope = linear_generator_inverse(jnp.ones((1, 1)), jnp.array([[2.0]]), jnp.zeros(1), ridge=1.0)[0, 0]
    yield slope, "0.4"
    yield slope**2 * (2**2 + 1), "0.8"
    error = (1 - 2 * slope) ** 2 + slope**2  # of the code's part and of the noise's
    yield error, "0.2"


@derivation.exercise(
    "For which variances is the bound zero, with the correlation 0.8 and the best slope?",
    r"Where $\log s + 0.36/s$ is 1: 0.1133 and 2.3290. Between them the guess is better than none.",
    level="medium",
    hint="Set the line with the best slope to zero; it has two roots.",
)
def no_better_than_nothing():
    def bound(s):
        return gaussian_information_bound(np.full((1, 1), 0.6), np.zeros((1, 1)), np.full((1, 1), np.log(s)))[0]

    for low, high, said in ((0.05, 0.3, "0.1133"), (1.0, 4.0, "2.3290")):
        yield brentq(bound, low, high), said


@derivation.exercise(
    "A network sees two images of one code, each with the correlation 0.8 with it, and with independent noise. How large is "
    "the information now, and the best bound at the fixed variance 1? Why is the information not twice as large?",
    "It is 0.7582 nats, against 0.5108 of one image; the fixed variance allows 0.3902. The precision of the code, 1 before any "
    "image, grows by 16/9 with each of them, so the information grows with the logarithm of the number of images: the second "
    "image repeats part of what the first one said.",
    level="hard",
    hint="Precisions add up: what does one image add to the prior's precision?",
)
def two_images_of_a_code():
    gain = sqrt(Rational(16, 25) / Rational(9, 25))  # for noise of variance 1
    for images, said in ((1, "0.5108"), (2, "0.7582")):
        w = gain * ones(images, 1)
        left = 1 - (w.T * (w * w.T + eye(images)).inv() * w)[0]  # the variance of the code, given the images
        residual, log_var = (np.full((1, 1), float(number)) for number in (sqrt(left), log(left)))
        yield gaussian_information_bound(residual, np.zeros((1, 1)), log_var)[0], said
    yield gaussian_information_bound(residual, np.zeros((1, 1)), np.zeros((1, 1)))[0], "0.3902"
    yield gain**2, Rational(16, 9)
