"""Noise removed, in decibels: the best linear denoiser by solving for it, that of the training data one example after another."""

import math

import numpy as np
import torch

from tests.latent.objective_denoising_autoencoder import by_gains
from tests.support.metrics import noise

NAMES = ("digits", "notes")
FIELDS = {"notes": {"length": 32, "window": 8}}
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


def evaluate(e, data):
    x = rows(data.batch())
    noisy = with_noise(e, x)
    found = {"gain": cleaned(e, noisy), "linear": linear(e, noisy, x), "of_training_data": of_training_data(e, noisy)}
    return {name: 20 * math.log10(torch.dist(noisy, x) / torch.dist(clean, x)) for name, clean in found.items()}


def preview(e, data):
    """Ten images, or four sounds."""
    x = rows(data.batch())
    noisy = with_noise(e, x[: 10 if is_of_images(e) else 4])
    parts = [x[: len(noisy)], noisy, linear(e, noisy, x), cleaned(e, noisy)]
    if is_of_images(e):
        return {"denoised": torch.cat(parts).unflatten(1, e.shape)}
    return dict(zip(("held_out", "noisy", "filtered", "denoised"), parts, strict=True))
