"""Exercises of the lecture: Waveform GANs."""

from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import Rational, cos, log, pi, solve, symbols

from theory_jax.adversarial.audio_gan import phase_shuffle, transposed_convolution1d
from theory_jax.derivation.notation import Total
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.adversarial._sounds import averaged, coefficient, sharing
from theory_jax.lectures.adversarial.audio_gan import A, F, _length, derivation, f, five_shifts, gain, omega


@derivation.exercise(
    "Three layers of stride 4 make sound at 16 kHz. At multiples of which frequencies does each of them hum?",
    "4000 Hz the last one, 1000 Hz the one before, and 250 Hz the first: the rate at which each layer's input arrives.",
    level="easy",
    hint="A layer's hum repeats itself after as many samples of its output as its stride.",
)
def pitches_of_three_layers():
    humming, silent, none = jnp.array([[[3.0, 1.0, 0.0, 2.0]]]), jnp.ones((1, 1, 4)), jnp.zeros(1)
    answer = transposed_convolution1d(jnp.ones((1, 1, 8)), humming, none, stride=4)
    for pitch in ("4000", "1000", "250"):
        levels = np.abs(np.fft.rfft(answer[0, 0]))
        yield np.flatnonzero(levels > 1e-9 * levels[0])[1] * 16000 / answer.shape[2], pitch
        answer = transposed_convolution1d(answer, silent, none, stride=4)


@derivation.exercise(
    "A generated sound is three times too loud in every bin. What do both distances say, and what do they say of one that is "
    "three times too quiet?",
    "Too loud: spectral convergence is 2 and the log distance 1.0986. Too quiet: 0.6667 and 1.0986 again. Spectral convergence "
    "never says more than 1 of a sound that is too quiet; the log distance treats both errors alike.",
    level="easy",
    hint="Both distances of a gain are derived above; insert it.",
)
def too_loud_and_too_quiet():
    of_gain = _length(A - gain * A) / _length(A)
    for factor, convergence_, distance in ((3, "2", "1.0986"), (Rational(1, 3), "0.6667", "1.0986")):
        yield value(of_gain, {gain: factor, A: (1, 2, 5)}), convergence_
        yield abs(value(Total(f, log(gain * A) - log(A)) / F, {gain: factor, A: (1, 2, 5)})), distance


@derivation.exercise(
    "The kernel $(1, 2, 3, 4, 3, 2, 1)/4$ interpolates linearly between samples at stride 4. Its length is no multiple of 4. "
    "Does it hum?",
    "No: each of the four phases of the kernel has the sum 1, so a constant stays constant, and the Fourier coefficients of "
    "its answer are 1, 0, 0. The kernel is the convolution of four ones with four ones, divided by 4, so its frequency "
    "response vanishes where theirs does. With one entry more, 1/4 at the end, the moduli are 1.0625, 0.0625, 0.0625, and it "
    "hums.",
    level="medium",
    hint="Add up every fourth entry.",
)
def linear_interpolation():
    kernel = np.convolve(np.ones(4), np.ones(4)) / 4
    for last, moduli in ((0, "1, 0, 0"), (0.25, "1.0625, 0.0625, 0.0625")):
        weight = jnp.asarray(np.append(kernel, last).reshape(2, 4).T)
        yield [np.hypot(*(coefficient(weight, k, turn) for turn in (0, np.pi / 2))) for k in range(3)], moduli


@derivation.exercise(
    "Which $r$ removes the first harmonic of the hum of stride 5 from what a linear critic sees?",
    prose(
        "2: five shifts in a row are a whole period, and the factor is {zero}. With shifts by up to one sample it is 0.5393.",
        zero=holds(five_shifts, "=", 0, when={omega: 2 * pi / 5}, named=True),
    ),
    level="medium",
    hint="The shifts must average the first harmonic to zero: over what is the mean of a wave zero?",
)
def a_stride_of_five():
    yield 2 + averaged(2 * jnp.pi / 5, 0.0, 0, 2), "2"
    yield averaged(2 * jnp.pi / 5, 0.0, 0, 1), "0.5393"


@derivation.exercise(
    "How many signals share the magnitudes of $(1, 2, 0, 0, 3, 1)$ in frames of two samples, with hop 1?",
    "4: across a gap of two zeros the signs of both sides are independent.",
    level="hard",
    hint="Which product of neighbors still links the signs on both sides?",
)
def across_a_gap():
    signals = np.array(list(product(range(-3, 4), repeat=6)))
    signals = signals[
        signals**2 @ [1, 2, 2, 2, 2, 1] == 28
    ]  # magnitudes keep the energy of every frame, so the others share none
    place = (signals == (1, 2, 0, 0, 3, 1)).all(1)
    yield sharing(signals, 1)[place][0], "4"


@derivation.exercise(
    "Shifts by up to two samples, all equally probable, leave a fifth of the hum of stride 4. Which probabilities of the "
    r"shifts $-2, \dots, 2$, the same for $n$ and $-n$, remove all of it from what a linear critic sees?",
    "The probability 1/8 for each of the shifts by two samples, and 1/4 for each of the other three. Shifts by 2 and by -2 are "
    "the same for a hum that repeats itself after four samples, so each of its four positions has the probability 1/4.",
    level="hard",
    hint="The factor is the mean of $\\cos(\\omega n)$; it must vanish at two frequencies.",
)
def unequal_shifts():
    none, one, two = symbols("p_0 p_1 p_2")
    factors = [none + 2 * one * cos(w) + 2 * two * cos(2 * w) for w in (pi / 2, pi)]
    found = solve([*factors, none + 2 * one + 2 * two - 1], [none, one, two])
    yield found[two], Rational(1, 8)
    yield found[one], Rational(1, 4)
    yield found[none], Rational(1, 4)
    hum = jnp.tile(jnp.array([3.0, 1.0, 0.0, 2.0] * 4), (5, 1, 1))
    seen = phase_shuffle(hum, np.arange(-2, 3))[:, 0, 4:12]
    yield np.ptp(np.array([1, 2, 2, 2, 1]) / 8 @ seen), Rational(0)
