"""Exercises of the lecture: The Frechet audio distance: what a logarithm of mel energies hears, and what pooled frames forget."""

import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.frechet_audio_distance import frechet_audio_distance, hertz_to_mel, log_mel_spectrogram, mel_to_hertz
from theory_jax.lectures.evaluation.frechet_audio_distance import derivation, v


@derivation.exercise(
    "How many mel are 8000 Hz, and how many would they be with a natural logarithm by mistake?",
    r"$2595 \log_{10}(1 + 80/7)$, 2840.02. By mistake they would be 6539.39.",
    level="easy",
    hint=r"Insert the frequency; a decimal logarithm is the natural one over $\log 10$.",
)
def eight_thousand_hertz():
    (found,) = hertz_to_mel(np.array([8000.0]))
    yield found, "2840.02"
    yield 2595 * np.log(1 + 8000 / 700), "6539.39"


@derivation.exercise(
    "Where are the centers of three filters from 0 to 4000 Hz?",
    "A quarter, a half and three quarters of 2146.06 mel: 426.8, 1113.8 and 2219.8 Hz.",
    level="easy",
    hint="Divide the interval in mel, then go back to hertz.",
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
    level="medium",
    hint="There is one eigenvalue; what is the standard deviation before and after?",
)
def noise_of_two_sizes():
    added = lambda extra: (np.sqrt(1 + extra) - 1) ** 2  # noqa: E731
    yield added(3.0), "1"
    yield added(0.1), "0.00238"
    yield 0.1**2 / 4, "0.0025"


@derivation.exercise(
    "All clips of a set become twice as loud, and the embedding is the log-mel column of 64 filters. How far is the set from "
    "itself if all cells are far above the floor? How far if every cell had just the energy of the floor?",
    r"Far above the floor each mean moves by $2 \log 2$: 123.00. From the floor on each moves by $\log\frac{4 + 1}{1 + 1}$, "
    "0.9163, and the distance is 53.73. A set of quiet sounds looks closer, since the floor withholds a part of the gain.",
    level="medium",
    hint="The covariance stays in both cases; by how much does each mean move?",
)
def twice_as_loud():
    ones = np.ones((1, 1))

    def moved(power, floor):
        frames = [log_mel_spectrogram(np.full((1, 1), gain * power), np.ones(1), ones, hop=1, epsilon=floor) for gain in (1, 2)]
        return float(np.squeeze(frames[1] - frames[0]))

    yield 64 * moved(1.0, 1e-12) ** 2, "123.00"
    yield moved(1.0, 1.0), "0.9163"
    yield 64 * moved(1.0, 1.0) ** 2, "53.73"


@derivation.exercise(
    "Find two sets of clips that have no clip in common, nor one that sounds alike, at the distance 0. What does that mean for a "
    "generator that always makes the same clip?",
    "Clips (0, 0) and (2, 2) against (0, 2) and (0, 2): the pools are the same four frames, so the distance is 0. In the first "
    "set all covariance is between clips, in the second within them: each is 1. So one clip, repeated, whose frames are those "
    "of a whole set gets the best value; a distance of clips' means sees it, and gives 2.",
    level="hard",
    hint="Cut the clips into frames and put the frames together in another way.",
)
def no_clip_in_common():
    first, second = np.array([[[0.0, 0.0]], [[2.0, 2.0]]]), np.array([[[0.0, 2.0]], [[0.0, 2.0]]])
    yield frechet_audio_distance(first, second), "0"
    yield first.mean(axis=2).var(), "1"
    yield second.var(axis=2).mean(), "1"
    yield frechet_audio_distance(first.mean(axis=2, keepdims=True), second.mean(axis=2, keepdims=True)), "2"
