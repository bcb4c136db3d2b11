"""Exercises of the lecture: The Frechet audio distance: what a logarithm of mel energies hears, and what pooled frames forget."""

import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.frechet_audio_distance import hertz_to_mel, mel_to_hertz
from theory_jax.lectures.evaluation.frechet_audio_distance import derivation, v


@derivation.exercise(
    "How many mel are 8000 Hz, and how many would they be with a natural logarithm by mistake?",
    r"$2595 \log_{10}(1 + 80/7)$, 2840.02. By mistake they would be 6539.39.",
)
def eight_thousand_hertz():
    (found,) = hertz_to_mel(np.array([8000.0]))
    yield found, "2840.02"
    yield 2595 * np.log(1 + 8000 / 700), "6539.39"


@derivation.exercise(
    "Where are the centers of three filters from 0 to 4000 Hz?",
    "A quarter, a half and three quarters of 2146.06 mel: 426.8, 1113.8 and 2219.8 Hz.",
)
def three_filters():
    (top,) = hertz_to_mel(np.array([4000.0]))
    yield top, "2146.06"
    yield from zip(mel_to_hertz(top * np.array([0.25, 0.5, 0.75])), ("426.8", "1113.8", "2219.8"), strict=True)


@derivation.exercise(
    r"One feature of variance 1 gets noise of variance 3; then of 0.1. What are the distances, and what does the "
    "formula for small noise say of the second?",
    prose(
        "It is {three}. For 0.1 it is 0.00238, and the formula for small noise gives {small}, 0.0025.",
        three=holds((sqrt(1 + v) - 1) ** 2, "=", 1, when={v: 3}),
        small=holds(v**2 / 4, "=", Rational(1, 400), when={v: Rational(1, 10)}),
    ),
)
def noise_of_two_sizes():
    added = lambda extra: (np.sqrt(1 + extra) - 1) ** 2  # noqa: E731
    yield added(3.0), "1"
    yield added(0.1), "0.00238"
    yield 0.1**2 / 4, "0.0025"
