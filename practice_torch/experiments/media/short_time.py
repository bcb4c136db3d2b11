"""Spectra of short pieces of sounds, their levels and distances, and sounds that have given magnitudes.

A piece has `size` samples in Hann's window, and the next one begins after a quarter of them. A sine of amplitude 1 has the
magnitude 1 at its frequency. Frequencies are k / size cycles per sample, k = 0..size // 2.
"""

import torch

RANGE = 3  # decades of magnitudes from silence to full scale: 60 dB


def transformed(x, size):
    """Complex spectra of sounds, which are mirrored at both ends: [B, T] -> [B, F, S]."""
    return torch.stft(x, size, size // 4, window=_window(size, x), return_complex=True)


def sounds_of(spectra, length):
    """The sounds with the spectra that are nearest to these, by least squares: [B, F, S] -> [B, T], T = length."""
    size = 2 * (spectra.shape[1] - 1)
    return torch.istft(spectra, size, size // 4, window=_window(size, spectra.real), length=length)


def level(magnitude):
    """1 + log10(a + 0.001) / 3: about 1 for a sine at full scale, 0 in silence, and 1/60 more for each dB between."""
    return 1 + (magnitude + 10.0**-RANGE).log10() / RANGE


def magnitude_of(level):
    """The magnitude of a level; 0 below that of silence."""
    return (10 ** (RANGE * (level - 1)) - 10.0**-RANGE).clamp(min=0)


def log_spectral_distance(x, y, size, first=0):
    """Root mean square difference of levels in dB over the frequencies from index `first` on, mean over the pieces: [B].

    [B, T], [B, T] -> [B]
    """
    off = (level(transformed(x, size).abs()) - level(transformed(y, size).abs()))[:, first:]
    return 20 * RANGE * off.square().mean(1).sqrt().mean(1)


def with_magnitudes(magnitude, begin, length, rounds, project=None):
    """Sounds whose spectra have nearly these magnitudes; begin: spectra with the phases to begin with.

    In every round the magnitudes are set and the phases kept, of the nearest sound. project: what is then done to the sound.
    [B, F, S], [B, F, S] -> [B, T], T = length

    Source: Griffin & Lim 1984, section III.
    """
    size = 2 * (magnitude.shape[1] - 1)
    for last in [False] * rounds + [True]:
        sounds = sounds_of(torch.polar(magnitude, begin.angle()), length)
        sounds = sounds if project is None else project(sounds)
        if not last:
            begin = transformed(sounds, size)
    return sounds


def _window(size, like):
    hann = torch.hann_window(size, dtype=like.dtype, device=like.device)
    return 2 * hann / hann.sum()
