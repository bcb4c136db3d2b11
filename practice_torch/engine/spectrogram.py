"""Spectrograms: the power of a sound over time and frequency, as a figure."""

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW = 0.032  # seconds: separates two partials 60 Hz apart, and two onsets
FLOOR = -80.0  # dB below the loudest: fainter sounds are black
MOST_COLUMNS = 2000
PER_SECOND = 2.4  # inches of the picture


def spectrogram(samples: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, float]:
    """(dB [F, S] below the loudest, down to FLOOR; seconds between two columns), of samples [T] in a Hann window.

    |sum_t w(t) x(s hop + t) e^(-2 pi i f t / n)|^2, with n samples in the window; silence is at the floor everywhere.
    """
    n = 2 ** max(4, round(math.log2(WINDOW * sample_rate)))
    hop = max(n // 8, -(-samples.shape[0] // MOST_COLUMNS))
    window = torch.hann_window(n, dtype=samples.dtype)
    padded = torch.nn.functional.pad(samples, (n // 2, n // 2 + hop))  # columns up to the last sample and beyond
    power = torch.stft(padded, n, hop, window=window, center=False, return_complex=True).abs().square()
    loudest = power.max().clamp(min=torch.finfo(power.dtype).tiny)
    return 10 * torch.log10((power / loudest).clamp(min=10 ** (FLOOR / 10))), hop / sample_rate


def draw(axes: "Axes", samples: torch.Tensor, sample_rate: int) -> None:
    """Draw the spectrogram into axes of seconds and kHz."""
    decibels, step = spectrogram(samples, sample_rate)
    extent = (-step / 2, (decibels.shape[1] - 0.5) * step, 0, sample_rate / 2000)
    picture = axes.imshow(decibels.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=FLOOR, vmax=0)
    axes.set_xlim(0, samples.shape[0] / sample_rate)
    axes.set(xlabel="seconds", ylabel="kHz")
    axes.figure.colorbar(picture, ax=axes, label="dB", pad=0.01, ticks=[FLOOR, FLOOR / 2, 0])


def size(samples: torch.Tensor, sample_rate: int) -> tuple[float, float]:
    """Size of the figure in inches, wider for longer sounds."""
    return min(max(6.0, 1.5 + PER_SECOND * samples.shape[0] / sample_rate), 14.0), 3.0
