"""Exercises of the lecture: Super-resolution: what a small image fixes, and what a sampler pays for sharp images."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.diffusion.super_resolution import null_space_projection
from theory_jax.lectures.diffusion._sharp_images import decibels
from theory_jax.lectures.diffusion.super_resolution import derivation


@derivation.exercise(
    r"Which PSNR has a mean squared error of 0.01 on data in $[-1, 1]$, and what is it if the range is taken for 1?",
    r"26.02 decibels; 20.00, which is 6.02 too low.",
)
def a_range():
    yield decibels(0.01), "26.02"
    yield decibels(0.01, 1.0), "20.00"


@derivation.exercise(
    r"The mean of $K$ independent posterior samples is the answer. What is its error, and how many decibels does it lose to $m$ "
    "for four?",
    r"$(1 + \frac1K) M$: the mean of the samples has the squared distance of one to $m$, divided by $K$. For four it loses 0.97 "
    "decibels. In the example the error is 0.625.",
)
def means_of_samples():
    yield 10 * math.log10(1 + Rational(1, 4)), "0.97"
    four = np.array(list(itertools.product((-1.0, 1.0), repeat=4))).mean(1)  # the first pixel of four samples for y = 0
    yield 0.5 * np.mean((four[:, None] - np.array([-1.0, 1.0])) ** 2), "0.625"


@derivation.exercise(
    r"A network answers $(0.9, -0.5, 0.9, -0.5)$ in a block of four pixels with the true mean 0. By how much does the "
    "projection lower the squared error, whatever the true block is?",
    r"By $4 \cdot 0.2^2$, which is 0.16: the network's mean is 0.2.",
)
def gain():
    x0, true = jnp.array([[[[0.9, -0.5], [0.9, -0.5]]]]), jnp.array([[[[1.0, -1.0], [-1.0, 1.0]]]])
    moved = null_space_projection(x0, jnp.zeros((1, 1, 1, 1)), factor=2)
    yield jnp.sum((true - x0) ** 2) - jnp.sum((true - moved) ** 2), "0.16"
