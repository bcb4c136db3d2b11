"""Signals that share magnitudes, hums of kernels, waves under phase shuffle, and the figure of both."""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.audio_gan import phase_shuffle, short_time_fourier_magnitude, transposed_convolution1d


def sharing(signals, hop):
    """For each signal [N, T], how many of them have its magnitudes, in frames of two samples."""
    magnitudes = short_time_fourier_magnitude(jnp.asarray(signals, float), jnp.ones(2), hop=hop)
    rows = np.asarray(magnitudes).round(9).reshape(len(signals), -1)
    _, place, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return counts[place.ravel()]


def coefficient(weight, number, angle):
    """A Fourier coefficient of one period of the code's answer to a constant; weight: [s, M]."""
    stride, steps = weight.shape
    kernel = weight.T.reshape(1, 1, stride * steps)
    answer = transposed_convolution1d(jnp.ones((1, 1, 2 * steps)), kernel, jnp.zeros(1), stride=stride)[0, 0]
    period = answer[stride * steps : stride * (steps + 1)]
    return jnp.mean(period * jnp.cos(2 * jnp.pi * number * jnp.arange(stride) / stride + angle))


def coefficients(length, stride=4):
    """The moduli of the Fourier coefficients 0, 1, 2 of the answer of a kernel of ones to a constant."""
    weight = jnp.zeros(-(-length // stride) * stride).at[:length].set(1.0).reshape(-1, stride).T
    return jnp.stack([jnp.hypot(*(coefficient(weight, number, angle) for angle in (0, jnp.pi / 2))) for number in range(3)])


def change_with_phase(bin_, phases=360):
    """How much the magnitudes of a Hann frame of 64 samples change with the phase, relative to the largest."""
    times_, angles = np.arange(64), np.linspace(0, 2 * np.pi, phases, endpoint=False)
    waves = np.cos(2 * np.pi * bin_ * times_ / 64 + angles[:, None])
    found = short_time_fourier_magnitude(jnp.asarray(waves), jnp.asarray(np.hanning(65)[:64]), hop=1)[:, :, 0]
    return jnp.max(jnp.ptp(found, axis=0)) / jnp.max(found)


def averaged(frequency, angle, center, shifts=2):
    """The mean over all shifts of a wave's sample, by the code; center: the sample's time."""
    moves = np.arange(-shifts, shifts + 1)
    wave = jnp.cos(frequency * (center + jnp.arange(-4, 5)) + angle)
    return jnp.mean(phase_shuffle(jnp.tile(wave, (len(moves), 1, 1)), moves)[:, 0, 4])


def draw_hum(left, right):
    """Left: the spectra of three answers to a constant. Right: the factors of phase shuffle."""
    for offset, length in enumerate((24, 25, 26)):
        answer = transposed_convolution1d(jnp.ones((1, 1, 40)), jnp.ones((1, 1, length)), jnp.zeros(1), stride=4)[0, 0, 32:96]
        levels = 20 * jnp.log10(jnp.maximum(jnp.abs(jnp.fft.rfft(answer)) / jnp.sum(answer), 1e-3))
        left.plot(np.arange(33) / 64 + 0.004 * (offset - 1), levels, label=f"$K = {length}$", linewidth=1)
    left.set(xlabel="frequency, as a share of $f_s$", ylabel="level, dB")
    left.legend()
    frequencies = np.linspace(0, np.pi, 121)
    waves = np.cos(np.outer(frequencies, np.arange(-4, 5)))
    for shifts in (1, 2, 3):
        moves = np.arange(-shifts, shifts + 1)
        moved = phase_shuffle(jnp.asarray(np.tile(waves, (len(moves), 1))[:, None]), np.repeat(moves, 121))[:, 0, 4]
        right.plot(frequencies, moved.reshape(-1, 121).mean(axis=0), label=f"$r = {shifts}$")
    right.vlines([np.pi / 2, np.pi], -0.3, 1, linestyle=":", color="gray")
    right.set(xlabel=r"frequency $\omega$", ylabel="factor")
    right.legend()
