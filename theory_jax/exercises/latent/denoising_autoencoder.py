"""Exercises of the lecture: The denoising autoencoder: the best guess points uphill."""

import math

import jax.numpy as jnp
from scipy.optimize import brentq
from sympy import solve, symbols, tanh

from theory_jax.latent.denoising_autoencoder import corrupt_salt_and_pepper, denoiser_score, empirical_denoiser
from theory_jax.lectures.latent.denoising_autoencoder import derivation


@derivation.exercise(
    "Data have the variance 4 along a direction and 0.25 along another, and the noise the variance 1. By which factors does the "
    "best linear denoiser shrink, and what are its errors?",
    "By 0.8 and 0.2; the errors are 0.8 and 0.2 as well, against 1 for a copy.",
    level="easy",
    hint="The best weight is the share of the data in the variance of what is seen.",
)
def shrinkage():
    for variance, factor in ((4.0, "0.8"), (0.25, "0.2")):
        yield variance / (variance + 1), factor
        best_weight = variance / (variance + 1)
        yield variance * (1 - best_weight) ** 2 + best_weight**2, factor


@derivation.exercise(
    r"A network was trained with noise of deviation 0.5. At the point 0.2 it answers 0.3. What is the score there, and what "
    r"would somebody get who divides by $\sigma$?",
    "0.1 divided by 0.25: the score is 0.4. Divided by the deviation it would be 0.2, half of it; at other levels of noise the "
    "factor is another.",
    level="easy",
    hint="The score is the step of the denoiser, divided by a variance.",
)
def score_of_an_answer():
    yield denoiser_score(jnp.array([[0.2]]), jnp.array([[0.3]]), sigma=0.5)[0, 0], "0.4"
    yield 0.1 / 0.5, "0.2"


@derivation.exercise(
    "Half of the pixels of an image are hit by salt and pepper. How many become white, and how many of all are unchanged, if the "
    "image is black?",
    "A quarter becomes white: 25%. A quarter becomes black and was, so with the half that is not hit 75% are unchanged.",
    level="easy",
    hint="Of the pixels that are hit, half become white and half black.",
)
def a_black_image():
    uniforms = (jnp.arange(100.0)[None] + 0.5) / 100
    after = corrupt_salt_and_pepper(jnp.zeros((1, 100)), uniforms, probability=0.5)
    yield jnp.mean(after == 1.0) * 100, "25"
    yield jnp.mean(after == 0.0) * 100, "75"


@derivation.exercise(
    "Gaussian data of variance 4 are seen with noise of variance 1, and the best denoiser is applied. Which variance do its "
    "answers have? And if the same denoiser is applied ten times?",
    "3.2, less than that of the data: the missing 0.8 is what the denoiser cannot know. After ten times it is 0.0576: repeated "
    "denoising at one level of noise climbs to the top of the density, and does not sample the data.",
    level="medium",
    hint="What is seen has the variance 5, and the denoiser is linear.",
)
def denoised_too_often():
    variance, noise = 4.0, 1.0
    a = symbols("a")
    weight = solve((variance * (1 - a) ** 2 + noise * a**2).diff(a), a)[0]
    yield float(weight**2 * (variance + noise)), "3.2"
    yield float(variance * (1 - weight) ** 2 + noise * weight**2), "0.8"
    yield float(weight**20 * (variance + noise)), "0.0576"


@derivation.exercise(
    "The data are -1 and 1. For which noise does the density of noisy data have two hills, and where is the right one at "
    r"$\sigma$ of 0.8? Where does repeated denoising from 0.1 end, at 0.8 and at 1.2?",
    r"The best denoiser is $\tanh(x/\sigma^2)$, and its slope at 0 is $1/\sigma^2$: there are two hills if and only if "
    r"$\sigma$ is below 1. At 0.8 the right one is at 0.8797, not at the datum, and denoising from 0.1 ends there. At 1.2 the "
    "only hill is at 0, and it ends at 0.0000, where no datum is.",
    level="hard",
    hint="Hills are fixed points of the denoiser; when is 0 one that repels?",
)
def two_hills_or_one():
    x, sigma = symbols("x sigma", positive=True)
    yield tanh(x / sigma**2).diff(x).subs(x, 0), 1 / sigma**2
    yield brentq(lambda at: at - math.tanh(at / 0.64), 0.5, 1), "0.8797"
    data = jnp.array([[-1.0], [1.0]])
    for noise, end in ((0.8, "0.8797"), (1.2, "0.0000")):
        at = jnp.array([[0.1]])
        for _ in range(100):
            at = empirical_denoiser(at, data, sigma=noise)
        yield at[0, 0], end
