"""Exercises of the lecture: Waveform GANs."""

from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import pi

from theory_jax.adversarial.audio_gan import transposed_convolution1d
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.adversarial._sounds import averaged, sharing
from theory_jax.lectures.adversarial.audio_gan import derivation, five_shifts, omega


@derivation.exercise(
    "Three layers of stride 4 make sound at 16 kHz. At multiples of which frequencies does each of them hum?",
    "4000 Hz the last one, 1000 Hz the one before, and 250 Hz the first: the rate at which each layer's input arrives.",
)
def pitches_of_three_layers():
    humming, silent, none = jnp.array([[[3.0, 1.0, 0.0, 2.0]]]), jnp.ones((1, 1, 4)), jnp.zeros(1)
    answer = transposed_convolution1d(jnp.ones((1, 1, 8)), humming, none, stride=4)
    for pitch in ("4000", "1000", "250"):
        levels = np.abs(np.fft.rfft(answer[0, 0]))
        yield np.flatnonzero(levels > 1e-9 * levels[0])[1] * 16000 / answer.shape[2], pitch
        answer = transposed_convolution1d(answer, silent, none, stride=4)


@derivation.exercise(
    "Which $r$ removes the first harmonic of the hum of stride 5 from what a linear critic sees?",
    prose(
        "2: five shifts in a row are a whole period, and the factor is {zero}. With shifts by up to one sample it is 0.5393.",
        zero=holds(five_shifts, "=", 0, when={omega: 2 * pi / 5}, named=True),
    ),
)
def a_stride_of_five():
    yield 2 + averaged(2 * jnp.pi / 5, 0.0, 0, 2), "2"
    yield averaged(2 * jnp.pi / 5, 0.0, 0, 1), "0.5393"


@derivation.exercise(
    "How many signals share the magnitudes of $(1, 2, 0, 0, 3, 1)$ in frames of two samples, with hop 1?",
    "4: across a gap of two zeros the signs of both sides are independent.",
)
def across_a_gap():
    signals = np.array(list(product(range(-3, 4), repeat=6)))
    signals = signals[
        signals**2 @ [1, 2, 2, 2, 2, 1] == 28
    ]  # magnitudes keep the energy of every frame, so the others share none
    place = (signals == (1, 2, 0, 0, 3, 1)).all(1)
    yield sharing(signals, 1)[place][0], "4"
