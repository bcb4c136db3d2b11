"""Noise removed, in decibels: the best linear denoiser by solving for it, that of the training data one example after another.

Distances of levels of sounds are means over their pieces, one by one.
"""

import math

import numpy as np
import torch

from tests.latent.objective_denoising_autoencoder import by_gains, levels, without
from tests.support.metrics import mean, noise

NAMES = ("digits", "notes", "notes_bandwidth")
FIELDS = {name: {"length": 32, "window": 16} for name in NAMES[1:]}
TOLERANCE = 1e-4  # rounds of setting magnitudes, in which roundings grow
COUNT = 12


def is_of_images(e):
    return hasattr(e, "shape")


def rows(batch):
    return batch["image"].flatten(1) if "image" in batch else batch["audio"].flatten(1)


def with_noise(e, x):
    return x + e.recipe.sigma * noise(e, *x.shape)


def cleaned(e, noisy):
    return e.network(noisy) if is_of_images(e) else by_gains(e, noisy)


def linear(e, noisy, x):
    """Of images the solution of (C + s^2 I) a = noisy - m, times C; of sounds a circular convolution with the filter."""
    variance, (noisy, x) = e.recipe.sigma**2, (part.numpy() for part in (noisy, x))
    if is_of_images(e):
        covariance = np.cov(x, rowvar=False, bias=True)
        solved = np.linalg.solve(covariance + variance * np.eye(len(covariance)), (noisy - x.mean(0)).T)
        return torch.from_numpy(x.mean(0) + (covariance @ solved).T)
    power = np.mean([np.abs(np.fft.fft(sound)) ** 2 for sound in x], 0) / x.shape[1]
    response = np.fft.ifft(power / (power + variance)).real
    turned = np.stack([np.roll(response, k) for k in range(len(response))])
    return torch.from_numpy(noisy @ turned)


def of_training_data(e, noisy):
    from practice_torch.experiments.latent import denoising_autoencoder

    known = rows(denoising_autoencoder.load_data(e.recipe)[0].batch()).double()
    found = []
    for one in noisy:
        weights = (-(known - one).square().sum(1) / (2 * e.recipe.sigma**2)).softmax(0)
        found.append(weights @ known)
    return torch.stack(found)


def extended(e, base, above):
    """33 times: the magnitudes of the low band and those above, with the phases of the sound; then the low band is put back."""
    size, factor = e.recipe.window, e.recipe.factor
    hann = torch.hann_window(size)
    how = dict(n_fft=size, hop_length=size // 4, window=2 * hann / hann.sum())
    draws = noise(e, *base.shape)
    begin = base + draws - without(draws, factor)
    known = torch.stft(base, return_complex=True, **how).abs()[:, : size // 2 // factor + 1]
    magnitude = torch.cat([known, (10 ** (3 * above - 3) - 0.001).clamp(min=0).mT], 1)
    for _ in range(33):
        spectra = torch.stft(begin, return_complex=True, **how)
        begin = torch.istft(magnitude * (1j * spectra.angle()).exp(), length=base.shape[1], **how)
        begin = base + begin - without(begin, factor)
    return begin


def extensions(e, base):
    """By the network, by nothing and by the mean of the training sounds."""
    from practice_torch.experiments.latent import denoising_autoencoder

    size = e.recipe.window
    first = size // 2 // e.recipe.factor + 1
    seen = levels(base, size)[:, :, :first]
    known = levels(rows(denoising_autoencoder.load_data(e.recipe)[0].batch()).to(base), size)[:, :, first:].mean((0, 1))
    return {
        "distance": extended(e, base, e.network(seen)),
        "interpolated": base,
        "mean_levels": extended(e, base, known.expand(*seen.shape[:2], -1)),
    }


def distance(e, x, y):
    size = e.recipe.window // 2
    off = 60 * (levels(x, size) - levels(y, size))[:, :, size // 2 // e.recipe.factor + 1 :]
    return mean([math.sqrt(mean((piece**2).tolist())) for sound in off for piece in sound])


def evaluate(e, data):
    if hasattr(e.recipe, "factor"):
        x = rows(data.batch())
        return {name: distance(e, y, x) for name, y in extensions(e, without(x, e.recipe.factor)).items()}
    x = rows(data.batch())
    noisy = with_noise(e, x)
    found = {"gain": cleaned(e, noisy), "linear": linear(e, noisy, x), "of_training_data": of_training_data(e, noisy)}
    return {name: 20 * math.log10(torch.dist(noisy, x) / torch.dist(clean, x)) for name, clean in found.items()}


def preview(e, data):
    """Ten images, or four sounds."""
    x = rows(data.batch())
    if hasattr(e.recipe, "factor"):
        base = without(x[:4], e.recipe.factor)
        return {"held_out": x[:4], "narrow": base, "extended": extensions(e, base)["distance"]}
    noisy = with_noise(e, x[: 10 if is_of_images(e) else 4])
    parts = [x[: len(noisy)], noisy, linear(e, noisy, x), cleaned(e, noisy)]
    if is_of_images(e):
        return {"denoised": torch.cat(parts).unflatten(1, e.shape)}
    return dict(zip(("held_out", "noisy", "filtered", "denoised"), parts, strict=True))
