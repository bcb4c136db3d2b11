"""Exercises of the lecture: Inference with DDIM: few levels, there and back."""

import math

import numpy as np
from scipy.special import gammaln
from sympy import Rational, Symbol, integrate, oo, pi, simplify, sqrt

from theory_jax.derivation.parts import value
from theory_jax.diffusion.ddim_inference import sampling_timesteps
from theory_jax.lectures.diffusion.ddim_inference import _MEAN, _middle, a, c, derivation, m


@derivation.exercise(
    r"Which level does the spacing leading start from, with 7 of 1000 levels?",
    r"$\lfloor 1000 / 7 \rfloor$ is 142 and $1000 \bmod 7$ is 6, so it starts $141 + 6$, that is 147, levels too low, from 853.",
    level="easy",
    hint="Which multiples of the stride are visited, beginning at level 0, and which is the seventh?",
)
def leading():
    first = sampling_timesteps(num_steps=7, num_train_steps=1000, spacing="leading")[0]
    yield int(first), "853"
    yield 1000 - int(first), "147"


@derivation.exercise(
    r"A chain starts at a level where $\bar\alpha$ is still 0.0047, from pure noise, and the data have variance $\frac14$ and "
    "mean 0.5. Which mean do the samples have?",
    "0.4828: the samples are too dark by 0.0172, 3.4 percent of the mean, although less than half a percent of the signal is "
    "left.",
    level="easy",
    hint="The error of the mean is of the order of the root of what is left.",
)
def a_start_with_some_signal():
    given = {a: Rational(47, 10000), c: Rational(1, 4), m: Rational(1, 2)}
    yield value(_MEAN, given), "0.4828"
    yield 0.5 - value(_MEAN, given), "0.0172"


@derivation.exercise(
    r"How many steps of equal angle lose at most one percent of the sample, if the angle of the start is $\frac{\pi}{2}$?",
    r"$\cos^S(\Theta / S)$ is at least 0.99 from 123 steps on. By the leading term, $\Theta^2 / (2 S)$, it would be 124.",
    level="medium",
    hint="Start from the leading term, and then try whole numbers in the product of cosines.",
)
def one_percent():
    steps = np.arange(2, 300)
    yield steps[np.cos(np.pi / 2 / steps) ** steps >= 0.99][0], "123"
    yield math.ceil((math.pi / 2) ** 2 / 0.02), "124"


@derivation.exercise(
    r"What is the mean square of an entry in the middle of the arc, in 64 dimensions? In the middle of the straight line?",
    r"$\mu^2$ is 63.502, so it is 1.00013; half of it is lost on the straight line, which has 0.5.",
    level="medium",
    hint="The mean length has a ratio of two gamma functions; for the line use the variance of a weighted sum.",
)
def in_many_dimensions():
    yield 2 * math.exp(2 * (gammaln(32.5) - gammaln(32))), "63.502"
    yield _middle(64), "1.00013"
    yield 0.5**2 + 0.5**2, "0.5"


@derivation.exercise(
    "The levels are at equal angles for data of variance 1, down from pure noise: the cosine schedule. The data have variance "
    r"$c$. Which share of the sample do $S$ steps lose to first order, and how does it compare with the best levels?",
    r"They lose $\pi^2 (\sqrt c + 1/\sqrt c) / (16 S)$, and with the best levels it is $\pi^2 / (8 S)$: the ratio is the mean "
    r"of $\sqrt c$ and $1/\sqrt c$, which is 1.25 at $c$ of $\frac14$ and 1 at variance 1 only. At a hundred steps of data of "
    "variance one quarter, 0.0153 and 0.0123 are lost.",
    level="hard",
    hint=r"A step loses half of its squared angle. Write $\theta$ by the angle $\varphi$ of variance 1, $\sqrt c \tan \theta$ "
    r"being $\tan \varphi$, and integrate the squared rate.",
)
def the_cosine_schedule_for_other_data():
    noise, spread = Symbol("s", positive=True), Symbol("c", positive=True)
    # the angle's rate by phi, squared, times the slope of phi by the noise: c (1 + s^2)/(c + s^2)^2
    loss = pi / 4 * spread * integrate((1 + noise**2) / (spread + noise**2) ** 2, (noise, 0, oo))
    yield simplify(loss), pi**2 * (sqrt(spread) + 1 / sqrt(spread)) / 16
    yield loss.subs(spread, Rational(1, 4)) / (pi**2 / 8), Rational(5, 4)
    even = np.pi / 2 * np.arange(101) / 100
    angles = np.append(np.arctan(np.tan(even[:-1]) / 0.5), np.pi / 2)
    yield 1 - np.prod(np.cos(np.diff(angles))), "0.0153"
    yield 1 - np.prod(np.cos(np.diff(even))), "0.0123"
