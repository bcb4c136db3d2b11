"""Exercises of the lecture: Waveform diffusion: told the noise level, and given a spectrogram that leaves the signs open."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.diffusion.audio_diffusion import sample_noise_level
from theory_jax.lectures.diffusion.audio_diffusion import V, derivation, factor, l, v


@derivation.exercise(
    r"How many layers with three taps and dilations $1, 2, 4, \dots$ see 1,023 samples, and how many samples do 30 layers see "
    r"whose dilations begin again after 512?",
    r"Nine: $1 + 2 \cdot 511$ is 1023. And $1 + 2 \cdot 3 \cdot 1023$ is 6139: 0.278 seconds at 22,050 samples a second.",
    level="easy",
    hint="Three taps add twice the dilation of each layer to the field, which begins with one sample.",
)
def fields():
    yield 1 + 2 * sum(2**n for n in range(9)), "1023"
    yield 1 + 2 * 3 * sum(2**n for n in range(10)), "6139"
    yield 6139 / 22_050, "0.278"


@derivation.exercise(
    r"A grid of one step, to a squared level of 0.36: what is the distribution of the level in training, and which levels do the "
    r"uniform numbers $\frac14$ and 1 give?",
    r"Uniform on $[0.6, 1]$: the levels $(0.7, 1)$.",
    level="easy",
    hint="The grid is on the roots of the squared levels, from 1 to 0.6.",
)
def one_piece():
    yield sample_noise_level(jnp.array([0.25, 1.0]), jnp.array([1, 1]), jnp.array([1.0, 0.36])), "(0.7, 1)"


@derivation.exercise(
    r"A condition leaves two waveforms, $x$ with probability $\frac34$ and $-x$ with $\frac14$. What is the best guess in "
    r"squared error, and how many nats are left open?",
    "$\\frac34 x - \\frac14 x$, half of $x$, which is no waveform of the data, and $0.5623$ nats.",
    level="medium",
    hint="The best guess in squared error is a mean; the bits left are an entropy.",
)
def unequal_signs():
    yield 0.75 - 0.25, "0.5"
    yield -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), "0.5623"


@derivation.exercise(
    r"A sampler passes $\bar\alpha$ to a network that was trained on $\sqrt{\bar\alpha}$. For normal data of variance 4 and the "
    "level 0.8: which factor does the network use, which one is best, and by how much does the squared error rise?",
    "It uses the factor of the level 0.64, which is 0.3447, in place of 0.2055. The error rises by 0.0566, from 0.8767: "
    "the network is told of more noise than its input has, and subtracts too much.",
    level="medium",
    hint="Complete the square: the excess is the squared distance of the two factors, times the variance of the input.",
)
def the_square_in_place_of_the_level():
    wrong, best = (value(factor, {l: level, v: 4}) for level in (Rational(16, 25), Rational(4, 5)))
    yield wrong, "0.3447"
    yield best, "0.2055"
    yield value(V, {l: Rational(4, 5), v: 4}) * (wrong - best) ** 2, "0.0566"
    yield value(v * l**2 / V, {l: Rational(4, 5), v: 4}), "0.8767"


@derivation.exercise(
    r"Does it help to train by the absolute error in place of the squared one? A condition leaves the pairs $\pm 1$ and "
    r"$\pm 3$ of a sample, all four equally likely. Which guesses have the smallest mean absolute error?",
    r"No. For one pair $\pm x$ the mean error of the guess $g$ is the larger of $|x|$ and $|g|$: all guesses between $-|x|$ and "
    r"$|x|$ are equally good. With both pairs the error is 2 for every guess between -1 and 1, and 2.5 at the guess 2. "
    "Silence is still among the best guesses; nothing but a guess that is too loud is punished.",
    level="hard",
    hint="Take one pair first, and a guess between its two values; then one beyond them.",
)
def absolute_errors():
    def error(guess):
        return sum(abs(sign * size - guess) for sign in (-1, 1) for size in (1, 3)) / 4

    yield error(0), "2"
    yield error(1), "2"
    yield error(-1), "2"
    yield error(2), "2.5"
