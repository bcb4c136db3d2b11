"""Sounds of images of spectra, whose phases are found by iteration; and how drawn ones are shown and played."""

import math

import torch

from practice_torch.data.spectra import inverse, magnitudes, transform
from practice_torch.engine.artifacts import Audio

ROUNDS = 60
PLAYED = 13  # sounds of an artifact: one of each note


def griffin_lim(magnitude, *, hop, generator, rounds=ROUNDS):
    """Sounds whose frames have nearly these magnitudes: [B, window / 2 + 1, S] -> [B, S hop].

    Phases begin at random. A round takes the sounds nearest to the spectra, and gives the spectra of these the magnitudes: the
    squared distance of the magnitudes never rises.  Source: Griffin & Lim 1984, section III.
    """
    turns = torch.rand(magnitude.shape, generator=generator, dtype=magnitude.dtype, device=magnitude.device)
    spectrum, window = torch.polar(magnitude, 2 * math.pi * turns), 2 * (magnitude.shape[1] - 1)
    for _ in range(rounds):
        phase = transform(inverse(spectrum, hop=hop), window=window, hop=hop).angle()
        spectrum = torch.polar(magnitude, phase)
    return inverse(spectrum, hop=hop)


def heard(images, recipe, generator):
    """Sounds [B, T] of images [B, 1, window / 2, T / hop] of a recipe of spectra."""
    images = images[:, 0].to(torch.promote_types(images.dtype, torch.float32))  # bfloat16 has no Fourier transform
    known = magnitudes(images.clamp(0, 1), window=recipe.window)
    return griffin_lim(known, hop=recipe.hop, generator=generator)


def played(images, recipe, generator, caption):
    """An artifact of the first images as sounds, one after another."""
    sounds = heard(images[:PLAYED], recipe, generator)
    return Audio(sounds.cpu(), recipe.sample_rate, f"{caption}; phases by Griffin and Lim's iteration")
