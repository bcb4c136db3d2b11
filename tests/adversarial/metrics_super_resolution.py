"""Enlarged images one after another: ratios by the root mean square, similarities window by window, distances by eigenvalues."""

import math

import numpy as np
import torch

from tests.support.judged import frechet_distance
from tests.support.metrics import mean

FLOAT32 = True
NAMES = ("digits",)
FIELDS = {"digits": {"squared_error_share": 0.5, "factor": 2}}
COUNT = 80  # more than the pixels of a patch


def small(images, factor):
    """The means of blocks, one offset after another."""
    return sum(images[:, :, i::factor, j::factor] for i in range(factor) for j in range(factor)) / factor**2


def repeated(images, factor):
    return images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def enlarged(e, images):
    return ((e.generator_network(2 * images - 1) + 1) / 2).clamp(0, 1)


def ratios(images, others):
    errors = [math.sqrt(mean((a - b).double().square().flatten())) for a, b in zip(images, others, strict=True)]
    return mean([-20 * math.log10(error) for error in errors])


def similarity(x, y, size):
    """Of two images of one channel: the mean over windows."""
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    found = []
    for row in range(x.shape[0] - size + 1):
        for column in range(x.shape[1] - size + 1):
            a, b = (image[row : row + size, column : column + size] for image in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            a, b = a - mean_a, b - mean_b
            light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
            found.append(light * (2 * (weights * a * b).sum() + 0.03**2) / ((weights * (a * a + b * b)).sum() + 0.03**2))
    return np.mean(found)


def logs(e, batch, phase):
    real = 2 * batch["image"] - 1
    made = e.generator_network(small(real, e.recipe.factor))
    if phase == "generator":
        return {"squared_error": mean((made - real).square().flatten())}
    return {"real": mean(torch.sigmoid(e.discriminator(real))), "fake": mean(torch.sigmoid(e.discriminator(made)))}


def evaluate(e, data):
    real = data.batch()["image"]
    low = small(real, e.recipe.factor)
    made, wide = enlarged(e, low), repeated(low, e.recipe.factor)
    rows = [images.flatten(1).double().numpy() for images in (made, wide, real)]
    of_images = zip(made[:, 0].double().numpy(), real[:, 0].double().numpy(), strict=True)
    return {
        "peak_signal_to_noise": ratios(made, real),
        "nearest": ratios(wide, real),
        "similarity": np.mean([similarity(x, y, 7) for x, y in of_images]),
        "frechet_distance": frechet_distance(rows[0], rows[2]),
        "frechet_distance_nearest": frechet_distance(rows[1], rows[2]),
        "consistency": math.sqrt(mean((small(made, e.recipe.factor) - low).double().square().flatten())),
    }


def preview(e, data):
    real = data.batch()["image"][:12]
    low = small(real, e.recipe.factor)
    return {"enlarged": torch.cat([repeated(low, e.recipe.factor), enlarged(e, low), real])}
