"""Exercises of the lecture: Super-resolution."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.adversarial.super_resolution import peak_signal_to_noise_ratio
from theory_jax.derivation.notation import Expectation, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.super_resolution import WINDOW, b, derivation, p, q, rho, structure, tau, x, z


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
    level="easy",
    hint="All three are on the page as functions of the correlation.",
)
def three_distortions():
    yield value(1 - rho**2, {rho: 0.5}), "3/4"
    yield value(2 * (1 - rho), {rho: 0.5}), "1"
    yield value(2 * (1 - rho**2), {rho: 0.5}), "3/2"


@derivation.exercise(
    r"What is $\kappa$ of a window and its negative, and of a window and a flat one, without the constant?",
    r"The covariance is minus the variance, so it is $-1$; and it is 0 where nothing varies together.",
    level="medium",
    hint="Compute the covariance of the two windows first.",
)
def extreme_windows():
    yield value(structure, WINDOW | {b: (0, -1, -2)}), "-1"
    yield value(structure, WINDOW | {b: (5, 5, 5)}), "0"


@derivation.exercise(
    "Every pixel is wrong by 0.1, on the range from 0 to 1. What is the PSNR? What with the natural logarithm, and what with 20 "
    "in place of 10 before the logarithm of the squared error?",
    "20 decibels; 46.05 and 40.",
    level="easy",
    hint="The mean squared error is the square of 0.1.",
)
def twenty_decibels():
    ratio = peak_signal_to_noise_ratio(jnp.zeros((1, 1, 2, 2)), jnp.full((1, 1, 2, 2), 0.1), data_range=1.0)
    yield ratio, "20"
    yield ratio * np.log(10), "46.05"
    yield 2 * ratio, "40"


@derivation.exercise(
    r"In the example of $\pm 1$ with equal chances, of which $y$ tells nothing, a restoration guesses $\pm \tau$. What are its "
    "distortion and its perception index? Is the least price paid?",
    r"The distortion is $1 + \tau^2$, for example 5/4 at one half, and the index $1 - \tau$. The mean 0 has the index 1, and "
    r"the bound $M + (W - \Pi)^2$ is $1 + \tau^2$, too: nothing is paid in vain, from the blur at 0 to the realistic guess at "
    "1.",
    level="medium",
    hint="The best coupling of both coins takes each sign to the same sign.",
)
def a_timid_guess():
    size = Rational(1, 2)
    yield value(Expectation(p, Expectation(q, (x - z) ** 2)), {p: (0.5, 0.5), q: (0.5, 0.5), x: (-1, 1), z: (-size, size)}), "5/4"
    mean_to_sharp, to_sharp = (float(np.sqrt(wasserstein_squared(guess))) for guess in ([0.0, 0.0], [-0.5, 0.5]))
    yield 1 + (mean_to_sharp - to_sharp) ** 2, "5/4"


def wasserstein_squared(guess):
    """The squared distance of two equally likely numbers from -1 and 1: sorted numbers are the best coupling."""
    return np.mean((np.sort(guess) - np.array([-1.0, 1.0])) ** 2)


@derivation.exercise(
    "Gaussians with the correlation 0.8: a network averages two independent samples of the sharp images that fit. What is its "
    "distortion? At the same perception index, what is the least one? Is averaging samples a good compromise?",
    "0.54, between the 0.36 of the mean and the 0.72 of a sample. The average has the deviation 0.9055, and with this "
    "deviation the least distortion is 0.3711: a multiple of the mean is much better. Noise that is drawn anew costs more than "
    "it gives.",
    level="hard",
    hint="Write the sharp image and the restoration as combinations of independent Gaussians.",
)
def an_average_of_two_samples():
    known, noise = 0.8, 0.6
    sharp, average = np.array([known, noise, 0, 0]), np.array([known, 0, noise / 2, noise / 2])
    yield np.sum((sharp - average) ** 2), "0.54"
    deviation = np.linalg.norm(average)
    yield deviation, "0.9055"
    yield value(plus(1 - rho**2, (tau - rho) ** 2), {rho: known, tau: deviation}), "0.3711"
