"""Spectra of sounds and sounds of spectra by NumPy, frame by frame, with sums of sines in place of fast transforms."""

import contextlib
import math

import numpy as np
import torch

from tests.support.samplers import require_same

SIZES = dict(window=16, hop=8, length=64)  # of a recipe of spectra in small: images of 8 x 8


@contextlib.contextmanager
def doubles():
    """Experiments are built, and draw, in float64: in sixty rounds a rounding of float32 can grow."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def require_sounds(sounds, images, recipe, generator):
    """AssertionError unless these are the sounds of the images [B, 1, F, S]; generator: it draws the first phases."""
    turns = torch.rand(len(images), images.shape[2] + 1, images.shape[3], generator=generator)
    require_same(sounds, torch.from_numpy(sounds_of(images[:, 0], turns, recipe.hop, 60)))


def frames(sounds, window, hop):
    """Tapered frames, [B, S, window]; beyond the sounds is silence."""
    edge, hann = (window - hop) // 2, np.sin(math.pi * np.arange(window) / window) ** 2
    padded = np.pad(sounds, ((0, 0), (edge, edge)))
    return np.stack([padded[:, start : start + window] * hann for start in range(0, sounds.shape[1], hop)], 1), hann


def waves(window):
    """e^(-2 pi i f t / window), [F, window]."""
    return np.exp(-2j * math.pi / window * np.outer(np.arange(window // 2 + 1), np.arange(window)))


def images_of(sounds, window, hop):
    """1 + dB / 80 of every frequency above 0, the highest first: [B, T] -> [B, window / 2, S]"""
    cut, hann = frames(np.asarray(sounds, np.float64), window, hop)
    power = np.abs(cut @ waves(window)[:0:-1].T) ** 2 / (hann.sum() / 2) ** 2
    return np.clip(1 + 10 * np.log10(np.maximum(power, 1e-300)) / 80, 0, 1).swapaxes(1, 2)


def sounds_of(images, turns, hop, rounds):
    """Sounds of images [B, F, S] whose phases begin at these shares of a full turn, [B, F+1, S]."""
    images = np.asarray(images, np.float64)
    window = 2 * images.shape[1]
    _, hann = frames(np.zeros((1, hop)), window, hop)
    known = np.where(images > 0, hann.sum() / 2 * 10 ** (4 * (images - 1)), 0)[:, ::-1]
    known = np.concatenate([np.zeros_like(known[:, :1]), known], 1)
    spectrum = known * np.exp(2j * math.pi * np.asarray(turns, np.float64))
    for _ in range(rounds):
        again = frames(_nearest(spectrum, hann, hop), window, hop)[0] @ waves(window).T
        spectrum = known * np.exp(1j * np.angle(again.swapaxes(1, 2)))
    return _nearest(spectrum, hann, hop)


def _nearest(spectrum, hann, hop):
    """The sounds by least squares: the frames' normal equations are diagonal."""
    count, window = spectrum.shape[2], len(hann)
    twice = np.where(np.isin(np.arange(window // 2 + 1), (0, window // 2)), 1, 2)[:, None]
    cut = (np.conj(waves(window)).T @ (twice * spectrum)).real / window  # [B, window, S]
    total, weight = np.zeros((len(cut), window + (count - 1) * hop)), np.zeros(window + (count - 1) * hop)
    for number in range(count):
        here = slice(number * hop, number * hop + window)
        total[:, here] += hann * cut[:, :, number]
        weight[here] += hann**2
    edge = (window - hop) // 2
    inside = slice(edge, total.shape[1] - edge)
    return total[:, inside] / weight[inside]
