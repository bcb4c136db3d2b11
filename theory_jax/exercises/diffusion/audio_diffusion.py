"""Exercises of the lecture: Waveform diffusion: told the noise level, and given a spectrogram that leaves the signs open."""

import math

import jax.numpy as jnp

from theory_jax.diffusion.audio_diffusion import sample_noise_level
from theory_jax.lectures.diffusion.audio_diffusion import derivation


@derivation.exercise(
    r"How many layers with three taps and dilations $1, 2, 4, \dots$ see 1,023 samples, and how many samples do 30 layers see "
    r"whose dilations begin again after 512?",
    r"Nine: $1 + 2 \cdot 511$ is 1023. And $1 + 2 \cdot 3 \cdot 1023$ is 6139: 0.278 seconds at 22,050 samples a second.",
)
def fields():
    yield 1 + 2 * sum(2**n for n in range(9)), "1023"
    yield 1 + 2 * 3 * sum(2**n for n in range(10)), "6139"
    yield 6139 / 22_050, "0.278"


@derivation.exercise(
    r"A grid of one step, to a squared level of 0.36: what is the distribution of the level in training, and which levels do the "
    r"uniform numbers $\frac14$ and 1 give?",
    r"Uniform on $[0.6, 1]$: the levels $(0.7, 1)$.",
)
def one_piece():
    yield sample_noise_level(jnp.array([0.25, 1.0]), jnp.array([1, 1]), jnp.array([1.0, 0.36])), "(0.7, 1)"


@derivation.exercise(
    r"A condition leaves two waveforms, $x$ with probability $\frac34$ and $-x$ with $\frac14$. What is the best guess in "
    r"squared error, and how many nats are left open?",
    "$\\frac34 x - \\frac14 x$, half of $x$, which is no waveform of the data, and $0.5623$ nats.",
)
def unequal_signs():
    yield 0.75 - 0.25, "0.5"
    yield -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), "0.5623"
