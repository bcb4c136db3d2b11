"""Exercises of the lecture: Super-resolution."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.adversarial.super_resolution import peak_signal_to_noise_ratio
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.super_resolution import WINDOW, b, derivation, rho, structure


@derivation.exercise(
    prose(
        "For {half}, what is the distortion of the mean, of the cheapest realistic answer, and of a sample?",
        half=where(rho, Rational(1, 2)),
    ),
    prose(
        "{mean}, that is 3/4; {real}; and {sample}, that is 3/2.",
        mean=holds(1 - rho**2, "=", Rational(3, 4)),
        real=holds(2 * (1 - rho), "=", 1),
        sample=holds(2 * (1 - rho**2), "=", Rational(3, 2)),
    ),
)
def three_distortions():
    yield value(1 - rho**2, {rho: 0.5}), "3/4"
    yield value(2 * (1 - rho), {rho: 0.5}), "1"
    yield value(2 * (1 - rho**2), {rho: 0.5}), "3/2"


@derivation.exercise(
    r"What is $\kappa$ of a window and its negative, and of a window and a flat one, without the constant?",
    r"The covariance is minus the variance, so it is $-1$; and it is 0 where nothing varies together.",
)
def extreme_windows():
    yield value(structure, WINDOW | {b: (0, -1, -2)}), "-1"
    yield value(structure, WINDOW | {b: (5, 5, 5)}), "0"


@derivation.exercise(
    "Every pixel is wrong by 0.1, on the range from 0 to 1. What is the PSNR? What with the natural logarithm, and what with 20 "
    "in place of 10 before the logarithm of the squared error?",
    "20 decibels; 46.05 and 40.",
)
def twenty_decibels():
    ratio = peak_signal_to_noise_ratio(jnp.zeros((1, 1, 2, 2)), jnp.full((1, 1, 2, 2), 0.1), data_range=1.0)
    yield ratio, "20"
    yield ratio * np.log(10), "46.05"
    yield 2 * ratio, "40"
