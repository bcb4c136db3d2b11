"""Entries under the pixel shuffle, and the figure of the price of realism and of contrast."""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.adversarial.super_resolution import pixel_shuffle, structural_similarity
from theory_jax.derivation.notation import Expectation, Variance


def shuffled_entries():
    """The entries of a shuffled image in the order of its channels, their numbers, and these with rows and columns exchanged."""
    numbers = np.arange(72.0)
    large = np.asarray(pixel_shuffle(jnp.array(numbers.reshape(1, 12, 2, 3)), factor=2))[0]
    places = itertools.product(range(3), range(2), range(2), range(2), range(3))
    found = np.array([large[o, 2 * h + row, 2 * v + column] for o, row, column, h, v in places])
    turned = numbers.reshape(3, 2, 2, 2, 3).swapaxes(1, 2).ravel()
    return found, numbers, turned


def in_decibels(size, squares):
    """The PSNR of a mean squared error, for pixels of a range of this size."""
    return 10 * log(size**2 / squares) / log(10)


def similarity_factors(law, a, b, first, second):
    """The luminance, and the contrast and structure, of two windows of pixels with the weights of a distribution."""
    mean_a, mean_b = Expectation(law, a), Expectation(law, b)
    both = Expectation(law, a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + first) / (mean_a**2 + mean_b**2 + first)
    return light, (2 * both + second) / (Variance(law, a) + Variance(law, b) + second)


def draw_price_and_contrast(left, right):
    """Left: distortion against the perception index. Right: the similarity of a window with another contrast."""
    for correlation in (0.5, 0.8):
        gains = np.linspace(correlation, 1, 40)
        (line,) = left.plot(1 - gains, 1 - correlation**2 + (gains - correlation) ** 2, label=rf"$\rho = {correlation:g}$")
        left.plot(0, 2 * (1 - correlation**2), "x", color=line.get_color())
    left.set(xlabel=r"perception index $\Pi$", ylabel="distortion")
    left.legend()
    true = jnp.array(np.random.default_rng(6).uniform(size=(1, 1, 11, 11)))
    gains = jnp.linspace(0.0, 2.0, 41)[:, None, None, None]
    answers = true.mean() + gains * (true - true.mean())
    images = jnp.broadcast_to(true, answers.shape)
    right.plot(gains.ravel(), structural_similarity(images, answers, data_range=1.0))
    right.set(xlabel="gain of the deviation", ylabel="SSIM")
