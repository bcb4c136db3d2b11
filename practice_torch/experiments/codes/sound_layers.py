"""Convolutional autoencoders of sounds with a sequence of codes, and the spectral distance of two sounds."""

import math

import torch
from torch import nn
from torch.nn.functional import pad

from practice_torch.data.errors import DataError

WINDOWS = (64, 128, 256, 512)  # samples: short ones tell onsets apart, long ones partials


def steps_of(length, strides):
    """Number of codes of a sound with this many samples. Raises DataError if the strides do not divide it."""
    hop = math.prod(strides)
    if length % hop:
        shown = " x ".join(map(str, strides))
        raise DataError(f"length is {length}; it must be a multiple of {hop}, the product of the strides {shown}")
    return length // hop


def encoder(outputs, *, width, strides):
    """Sounds [B, 1, T] -> [B, outputs, T / hop], the hop the product of the even strides; kernels are twice as long as these."""
    layers = []
    for inputs, stride in _levels(width, strides):
        layers += [nn.Conv1d(inputs, width, 2 * stride, stride, stride // 2), nn.SiLU()]
    return nn.Sequential(*layers, nn.Conv1d(width, width, 5, 1, 2), nn.SiLU(), nn.Conv1d(width, outputs, 1))


def decoder(inputs, *, width, strides):
    """The way back, by transposed convolutions."""
    layers = []
    for outputs, stride in reversed(_levels(width, strides)):
        layers += [nn.SiLU(), nn.ConvTranspose1d(width, outputs, 2 * stride, stride, stride // 2)]
    return nn.Sequential(nn.Conv1d(inputs, width, 5, 1, 2), nn.SiLU(), nn.Conv1d(width, width, 5, 1, 2), *layers)


def _levels(width, strides):
    """The channels on the fine side of each stride, next to it."""
    return list(zip((1, *[width] * (len(strides) - 1)), strides, strict=True))


def spectral_error(x, y, *, windows=WINDOWS):
    r"""The mean over windows of sum_(s,f) (|X_sf| - |Y_sf|)^2 / (3/2 n): magnitude spectra only, [B].

    X_s is the Fourier transform of frame s of x in a Hann window of n samples; frames begin n / 4 samples apart. All frequencies
    count, those above half the sample rate too, so that with the phases it would be sum_t (x_t - y_t)^2 (Parseval: the squares of
    the windows add up to 3/2 everywhere). It is at most that, equal for y = a x, a >= 0, and 0 for y = -x.

    Source: the spectral loss of Dhariwal et al. 2020, Jukebox, section 3.3, of squares in the place of norms.
    [B, T], [B, T] -> [B]
    """
    return torch.stack([_of_window(x, y, n) for n in windows]).mean(0)


def _of_window(x, y, n):
    window = torch.hann_window(n, dtype=x.dtype, device=x.device)
    both = pad(torch.cat([x, y]), (n, n))  # every sample is in four frames
    magnitudes = torch.stft(both, n, n // 4, window=window, center=False, return_complex=True).abs()
    of_x, of_y = magnitudes.chunk(2)
    squares = (of_x - of_y).square().sum(2)
    # a real sound's spectrum is the same at -f: all frequencies but the first and the last occur twice
    return (2 * squares.sum(1) - squares[:, 0] - squares[:, -1]) / (1.5 * n)
