"""Sounds of a low sample rate, and sounds of the whole band that are made of them."""

import torch

from practice_torch.experiments.media.short_time import transformed, with_magnitudes

ROUNDS = 32  # after 100 the log-spectral distance of notes is 2% less


def narrowed(x, factor):
    """Every factor-th sample of what is below half of the low rate: [B, T] -> [B, T / factor].

    An ideal low-pass filter of the sound as a period of a wave; what narrowed gives, narrowed and widened give again.
    """
    length = x.shape[-1] // factor
    return torch.fft.irfft(_below(x, length), n=length) / factor


def widened(low, factor):
    """As many samples as before, with nothing above half of the low rate (sinc interpolation): [B, L] -> [B, factor L]."""
    length = low.shape[-1]
    return torch.fft.irfft(_below(low, length), n=factor * length) * factor


def _below(x, length):
    """The spectrum below half of the rate at which the period has so many samples."""
    return torch.fft.rfft(x)[..., : (length + 1) // 2]


def folded(low, factor):
    """What zeros between the samples add to `widened`: mirror images of the low band, at their full level."""
    zeros = low.new_zeros(*low.shape, factor)
    zeros[..., 0] = factor * low
    zeros = zeros.flatten(-2)
    return zeros - widened(narrowed(zeros, factor), factor)


def missing_from(size, factor):
    """The index of the first frequency above the band of the low rate, in spectra of `size` samples."""
    return size // (2 * factor) + 1


def with_band(low, above, noise, factor):
    """Sounds with these samples of the low rate, and with magnitudes near `above` at the frequencies that they lack.

    Their phases begin as those of the noise. [B, L], [B, M, S], [B, T] -> [B, T]
    """
    base = widened(low, factor)
    size = 2 * above.shape[1] * factor // (factor - 1)  # M = size/2 - size/(2 factor)
    spectra = transformed(base, size)
    magnitude = torch.cat([spectra.abs()[:, : missing_from(size, factor)], above], 1)

    def project(x):
        return base + x - widened(narrowed(x, factor), factor)

    return with_magnitudes(magnitude, transformed(project(noise), size), base.shape[1], ROUNDS, project)
