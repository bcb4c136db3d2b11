"""Exercises of the lecture: Inference with DDIM: few levels, there and back."""

import math

import numpy as np
from scipy.special import gammaln

from theory_jax.diffusion.ddim_inference import sampling_timesteps
from theory_jax.lectures.diffusion.ddim_inference import _middle, derivation


@derivation.exercise(
    r"Which level does the spacing leading start from, with 7 of 1000 levels?",
    r"$\lfloor 1000 / 7 \rfloor$ is 142 and $1000 \bmod 7$ is 6, so it starts $141 + 6$, that is 147, levels too low, from 853.",
)
def leading():
    first = sampling_timesteps(num_steps=7, num_train_steps=1000, spacing="leading")[0]
    yield int(first), "853"
    yield 1000 - int(first), "147"


@derivation.exercise(
    r"How many steps of equal angle lose at most one percent of the sample, if the angle of the start is $\frac{\pi}{2}$?",
    r"$\cos^S(\Theta / S)$ is at least 0.99 from 123 steps on. By the leading term, $\Theta^2 / (2 S)$, it would be 124.",
)
def one_percent():
    steps = np.arange(2, 300)
    yield steps[np.cos(np.pi / 2 / steps) ** steps >= 0.99][0], "123"
    yield math.ceil((math.pi / 2) ** 2 / 0.02), "124"


@derivation.exercise(
    r"What is the mean square of an entry in the middle of the arc, in 64 dimensions? In the middle of the straight line?",
    r"$\mu^2$ is 63.502, so it is 1.00013; half of it is lost on the straight line, which has 0.5.",
)
def in_many_dimensions():
    yield 2 * math.exp(2 * (gammaln(32.5) - gammaln(32))), "63.502"
    yield _middle(64), "1.00013"
    yield 0.5**2 + 0.5**2, "0.5"
