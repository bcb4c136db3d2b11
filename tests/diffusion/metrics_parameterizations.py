"""Errors of the data: what the network predicts is first turned into the data that it amounts to."""

import math

import torch

from tests.support.metrics import mean, noise


def data_of(e, x_t, t):
    """The data that the prediction at a level amounts to."""
    a = float(e.alpha_bar[t])
    cos, sin = math.sqrt(a), math.sqrt(1 - a)
    answer = e.network(x_t, torch.full((len(x_t),), t))
    return {"noise": lambda: (x_t - sin * answer) / cos, "x0": lambda: answer, "velocity": lambda: cos * x_t - sin * answer}[
        e.recipe.prediction
    ]()


def evaluate(e, data):
    thirds = torch.arange(1, e.recipe.num_steps + 1).tensor_split(3)
    x0 = 2 * data.batch()["image"] - 1
    noises, found, weighted = [noise(e, *x0.shape) for _ in thirds], [], 0.0
    for levels, eps in zip(thirds, noises, strict=True):
        errors, limited = [], []
        for k, image in enumerate(x0):
            t = int(levels[k % len(levels)])
            a = float(e.alpha_bar[t])
            x_t = (math.sqrt(a) * image + math.sqrt(1 - a) * eps[k])[None]
            errors.append(mean((data_of(e, x_t, t)[0] - image).square().flatten()))
            limited.append(min(a / (1 - a), e.recipe.snr_limit) * errors[-1])
        found.append(mean(errors))
        weighted += mean(limited) * len(levels) / e.recipe.num_steps
    return {"weighted_error": weighted, **dict(zip(("error_clean", "error_middle", "error_noisy"), found, strict=True))}


def preview(e, data):
    """The times go from an eighth of all to all."""
    steps, x0 = e.recipe.num_steps, 2 * data.batch(torch.arange(4))["image"] - 1
    levels = [max(1, round(steps / 8 + k / 4 * (steps - steps / 8))) for k in range(5)]
    eps, rows = noise(e, 20, *e.shape), []
    for k, image in enumerate(x0):
        for j, t in enumerate(levels):
            a = float(e.alpha_bar[t])
            x_t = math.sqrt(a) * image + math.sqrt(1 - a) * eps[5 * k + j]
            rows += [image, x_t, data_of(e, x_t[None], t)[0].clamp(-1, 1)]
    return {"denoised": (torch.stack(rows) + 1) / 2}
