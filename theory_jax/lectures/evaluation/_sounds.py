"""Parts of the lecture on the Frechet audio distance: pitch, filters by interpolation, notes, and the figure."""

import numpy as np
from sympy import Integral, exp, log

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.frechet_audio_distance import (
    frechet_audio_distance,
    hertz_to_mel,
    log_mel_spectrogram,
    mel_filterbank,
    mel_to_hertz,
)


def pitch(derivation):
    """Adds to the lecture what a mel is; returns a frequency."""
    derivation.say(
        "Pitch first. A step that is just heard is about as wide everywhere below some hundred hertz, and above in proportion to "
        "the frequency. The model: pitch rises by $a / (1 + u/f_0)$ a hertz at the frequency $u$, from 0 at 0."
    )
    u = derivation.number("u", "a frequency below $f$", positive=True)
    f = derivation.number("f", "a frequency", "frequency", positive=True)
    f_0 = derivation.number("f_0", "where the step has doubled, 700 Hz in the standard", positive=True)
    a = derivation.number("a", "the rise of pitch per hertz at 0", positive=True)
    derivation.chain(
        "Pitch is a logarithm of the frequency",
        Integral(a / (1 + u / f_0), (u, 0, f)),
        equals(
            times(a, f_0, log(1 + f / f_0)),
            prose("{slope}", slope=holds(Slope(log(1 + u / f_0), u), "=", 1 / (f_0 * (1 + u / f_0)))),
        ),
        role="lemma",
        so=r"With 700 Hz for $f_0$ and 1000 mel at 1000 Hz, the factor $a f_0$ is $1000 / \log(1 + 10/7)$, 1127.01. The "
        r"standard rounds: $2595 \log_{10}(1 + f/700)$ has $2595 / \log 10$, 1126.99, and 999.99 mel at 1000 Hz.",
    )
    kappa = derivation.define(r"\kappa", 2595 / log(10), "mel per factor of $e$", positive=True)
    mels = derivation.define("m(f)", times(kappa, log(1 + f / 700)), "pitch in mel", "hertz_to_mel", positive=False)
    derivation.chain(
        "The inverse of the pitch is an exponential",
        times(700, exp(mels / kappa) - 1),
        equals(
            times(700, plus(1 + f / 700, -1)),
            "the exponential of a logarithm",
            wrong={"natural logarithms in the standard": times(700, exp(log(1 + f / 700) / log(10)) - 1)},
        ),
        equals(f, "cancel"),
        role="lemma",
    )
    f_2 = derivation.number("f'", "another frequency", positive=True)
    derivation.chain(
        "Equal steps of pitch are equal ratios, of 700 Hz and what is above",
        plus(times(kappa, log(1 + f_2 / 700)), -mels),
        equals(
            times(kappa, log((700 + f_2) / (700 + f))),
            prose(
                "a difference of logarithms is the logarithm of the ratio; {ratio}",
                ratio=holds((1 + f_2 / 700) / (1 + f / 700), "=", (700 + f_2) / (700 + f)),
            ),
        ),
        so="So far above 700 Hz an octave is a fixed number of mel, near 781; far below, mel are hertz times 1.61.",
        role="remark",
    )
    mel = derivation.number("m", "a pitch in mel", "mel", positive=True)
    derivation.bridge("The code computes the pitch", 2595 * log(1 + f / 700) / log(10), hertz_to_mel, frequency=[f])
    derivation.bridge("... and its inverse", 700 * (exp(mel * log(10) / 2595) - 1), mel_to_hertz, mel=[mel])
    return f


def interpolated_bank(filters, length, rate, low, high):
    """The filterbank by linear interpolation, its points by the standard's decimal logarithm."""
    mels = np.linspace(*(2595 * np.log10(1 + np.array([low, high]) / 700)), filters + 2)
    points, frequencies = 700 * (10 ** (mels / 2595) - 1), np.arange(length // 2 + 1) * rate / length
    return points, frequencies, np.stack([np.interp(frequencies, points, row) for row in np.eye(filters + 2)[1:-1]])


def notes():
    """Clips [4, 800] of decaying harmonics, at 8 kHz."""
    time = np.arange(800) / 8000
    pitches = np.array([220.0, 277.2, 329.6, 440.0])[:, None]
    return sum(np.exp(-3 * k * time) / k * np.sin(2 * np.pi * k * pitches * time) for k in range(1, 5))


def columns(waves):
    """Their log-mel columns of five filters."""
    bank = interpolated_bank(5, 200, 8000, 0.0, 4000.0)[2]
    return log_mel_spectrogram(waves, np.hanning(201)[:-1], bank, hop=100)


def draw_triangles_and_noise(triangles, distances):
    """Six filters and their sum; and what noise on an embedding adds to the distance."""
    frequency = np.arange(257) * 8000 / 512
    bank = np.asarray(mel_filterbank(num_filters=6, fourier_length=512, sample_rate=8000))
    triangles.plot(frequency, bank.T)
    triangles.plot(frequency, bank.sum(0), "--", color="gray")
    triangles.set(xlabel="frequency (Hz)", ylabel="weight")
    variances, fine = np.array([0.5, 1.0, 2.0, 3.0, 4.0]), np.linspace(0, 4, 100)
    drawn = np.random.default_rng(0).standard_normal((3, 1, 1, 2000))
    for size in (0.25, 1.0):
        clean, fresh, added = drawn * np.sqrt([size, size, 1.0])[:, None, None, None]
        found = [frechet_audio_distance(clean, fresh + np.sqrt(extra) * added) for extra in variances]
        (line,) = distances.plot(fine, (np.sqrt(size + fine) - np.sqrt(size)) ** 2, label=rf"$\lambda = {size:g}$")
        distances.plot(variances, found, "o", color=line.get_color())
    distances.set(xlabel="variance of the noise, $v$", ylabel="$d^2$")
    distances.legend()
