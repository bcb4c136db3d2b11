"""Exercises of the lecture: Guessing the code from the image."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from theory_jax.adversarial.latent_regression import gaussian_information_bound, latent_regression_loss
from theory_jax.lectures.adversarial.latent_regression import derivation


@derivation.exercise(
    r"A network recovers a code of two coordinates without any error, and its variance is fixed at 1. What is the bound?",
    "1 nat, half a nat a coordinate, although the information of an invertible generator of continuous codes is infinite.",
)
def perfect_recovery():
    codes = jnp.array([[0.3, -1.2]])
    yield gaussian_information_bound(codes, codes, jnp.zeros((1, 2)))[0], "1"


@derivation.exercise(
    r"The code is 1 with probability $\frac34$ and otherwise $-1$, given the image. Which guess has the least squared error, and "
    "how large is it?",
    "The mean, 0.5, which is no code; the error is the variance, 0.75.",
)
def the_mean_of_two_codes():
    codes, weights = jnp.array([[1.0], [-1.0]]), np.array([0.75, 0.25])
    guesses = np.linspace(-1, 1, 9)
    errors = [weights @ latent_regression_loss(codes, jnp.full((2, 1), guess)) for guess in guesses]
    yield guesses[np.argmin(errors)], "0.5"
    yield min(errors), "0.75"


@derivation.exercise(
    "For which variances is the bound zero, with the correlation 0.8 and the best slope?",
    r"Where $\log s + 0.36/s$ is 1: 0.1133 and 2.3290. Between them the guess is better than none.",
)
def no_better_than_nothing():
    def bound(s):
        return gaussian_information_bound(np.full((1, 1), 0.6), np.zeros((1, 1)), np.full((1, 1), np.log(s)))[0]

    for low, high, said in ((0.05, 0.3, "0.1133"), (1.0, 4.0, "2.3290")):
        yield brentq(bound, low, high), said
