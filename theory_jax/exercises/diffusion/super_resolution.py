"""Exercises of the lecture: Super-resolution: what a small image fixes, and what a sampler pays for sharp images."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, limit

from theory_jax.diffusion.super_resolution import null_space_projection
from theory_jax.lectures.diffusion._sharp_images import decibels
from theory_jax.lectures.diffusion.super_resolution import derivation, rho


@derivation.exercise(
    r"Which PSNR has a mean squared error of 0.01 on data in $[-1, 1]$, and what is it if the range is taken for 1?",
    r"26.02 decibels; 20.00, which is 6.02 too low.",
    level="easy",
    hint="Twice the range is four times its square.",
)
def a_range():
    yield decibels(0.01), "26.02"
    yield decibels(0.01, 1.0), "20.00"


@derivation.exercise(
    r"A network answers $(0.9, -0.5, 0.9, -0.5)$ in a block of four pixels with the true mean 0. By how much does the "
    "projection lower the squared error, whatever the true block is?",
    r"By $4 \cdot 0.2^2$, which is 0.16: the network's mean is 0.2.",
    level="easy",
    hint="The projection moves the whole block to the true mean.",
)
def gain():
    x0, true = jnp.array([[[[0.9, -0.5], [0.9, -0.5]]]]), jnp.array([[[[1.0, -1.0], [-1.0, 1.0]]]])
    moved = null_space_projection(x0, jnp.zeros((1, 1, 1, 1)), factor=2)
    yield jnp.sum((true - x0) ** 2) - jnp.sum((true - moved) ** 2), "0.16"


@derivation.exercise(
    r"The mean of $K$ independent posterior samples is the answer. What is its error, and how many decibels does it lose to $m$ "
    "for four?",
    r"$(1 + \frac1K) M$: the mean of the samples has the squared distance of one to $m$, divided by $K$. For four it loses 0.97 "
    "decibels. In the example the error is 0.625.",
    level="medium",
    hint="Given the small image all samples and the true image are independent, with one mean.",
)
def means_of_samples():
    yield 10 * math.log10(1 + Rational(1, 4)), "0.97"
    four = np.array(list(itertools.product((-1.0, 1.0), repeat=4))).mean(1)  # the first pixel of four samples for y = 0
    yield 0.5 * np.mean((four[:, None] - np.array([-1.0, 1.0])) ** 2), "0.625"


@derivation.exercise(
    r"In the block of the second exercise the small image was measured as 0.3 in place of 0. What does the projection onto it "
    "do to the squared error, and from which error of the measurement on does it harm?",
    r"It raises the error by 0.20: 0.36 is paid in place of 0.16. At an error of 0.2, that of the "
    "network's own mean, the change is 0; from there on it harms.",
    level="medium",
    hint="The block pays four times the squared error of its mean, before and after.",
)
def a_wrong_small_image():
    x0, true = jnp.array([[[[0.9, -0.5], [0.9, -0.5]]]]), jnp.array([[[[1.0, -1.0], [-1.0, 1.0]]]])
    before = jnp.sum((true - x0) ** 2)

    def raised(measured):
        return jnp.sum((true - null_space_projection(x0, jnp.full((1, 1, 1, 1), measured), factor=2)) ** 2) - before

    yield raised(0.3), "0.20"
    yield raised(0.3) - raised(0.0), "0.36"
    yield -raised(0.0), "0.16"
    yield round(float(raised(0.2)), 9), "0"


@derivation.exercise(
    "For normal $x$ and $y$ with the correlation $\\rho$, which answer has the distribution of $x$ and the least squared error, "
    r"and how many decibels does it lose to the mean? Take 0.8 for $\rho$, and its limits.",
    r"Answers of variance 1 have the error 2 less twice their covariance with $x$, which is at most $\rho$, by the "
    "Cauchy-Schwarz inequality: the stretched mean is best. It loses $10 \\log_{10}(2/(1 + \\rho))$, 0.46 decibels at 0.8: all "
    "of the 3.01 at 0, where $y$ says nothing, and nothing at 1. A price of 3 decibels is the price of independent samples, "
    "not that of the right distribution.",
    level="hard",
    hint="Expand the square; what the answer adds to $y$ is independent of $x$ given $y$, so only its covariance with $y$ helps.",
)
def the_price_of_the_right_distribution():
    ratio = (2 - 2 * rho) / (1 - rho**2)
    yield ratio, 2 / (1 + rho)
    yield 10 * math.log10(ratio.subs(rho, Rational(4, 5))), "0.46"
    yield 10 * math.log10(limit(ratio, rho, 0)), "3.01"
    yield 10 * math.log10(limit(ratio, rho, 1)), "0"
