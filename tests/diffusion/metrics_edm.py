"""Denoisers at any level: errors of the data, weighed by (sigma^2 + s^2)/(sigma s)^2, by quantiles of SciPy's normal law."""

import math

import torch
from scipy.stats import norm

from tests.support.judged import Judge
from tests.support.metrics import mean, noise

NAMES = ("digits",)
FIELDS = {"digits": {"judged_samples": 10, "sampling_steps": 4}}
TOLERANCE = 1e-4  # the network's answers are cast to float32
COUNT = 12


def denoised(e, x, sigma):
    """The network's estimate of the data."""
    s = e.recipe.sigma_data
    both = sigma**2 + s**2
    answer = e.network(x / math.sqrt(both), torch.full((len(x),), 1000 * math.log(sigma) / 4))
    return s**2 / both * x + sigma * s / math.sqrt(both) * answer.float()


def evaluate(e, data):
    image = data.batch()["image"]
    x0, s, found = 2 * image - 1, e.recipe.sigma_data, []
    noises = [noise(e, *x0.shape) for _ in range(3)]
    for third, eps in enumerate(noises):
        errors = []
        for k, one in enumerate(x0):
            sigma = math.exp(e.recipe.level_mean + e.recipe.level_std * norm.ppf((16 * third + k % 16 + 0.5) / 48))
            error = mean((denoised(e, (one + sigma * eps[k])[None], sigma)[0] - one).square().flatten())
            errors.append((sigma**2 + s**2) / (sigma * s) ** 2 * error)
        found.append(mean(errors))
    heun, euler = distances(e, image, e.recipe.sampling_steps)
    return {
        "loss": mean(found),
        **dict(zip(("loss_small", "loss_middle", "loss_large"), found, strict=True)),
        "root_mean_square": math.sqrt(mean(x0.square().flatten())),
        "frechet_distance": heun,
        "frechet_distance_euler": euler,
    }


def levels(e, count):
    """So many from the largest to the smallest, even in their seventh roots; and 0."""
    ends = [e.recipe.sigma_max ** (1 / 7), e.recipe.sigma_min ** (1 / 7)]
    return [(ends[0] + k / (count - 1) * (ends[1] - ends[0])) ** 7 for k in range(count)] + [0.0]


def distances(e, image, steps):
    """Images by this many steps of Heun's method, and by Euler's with as many evaluations: one less than twice the steps."""
    judge, found = Judge(image), []
    for count, correct in ((steps, True), (2 * steps - 1, False)):
        white = noise(e, e.recipe.judged_samples, *e.shape)
        found.append(judge.frechet_distance(drawn(e, levels(e, count), white, correct), image))
    return found


def study(e, data):
    evaluations = (3, 9, 35)
    pairs = [distances(e, data.batch()["image"], (count + 1) // 2) for count in evaluations]
    columns = zip(("Heun", "Euler"), zip(*pairs, strict=True), strict=True)
    return {"methods": [("loglog", evaluations, column, {"label": name}) for name, column in columns]}


def drawn(e, levels, white, correct):
    """By Euler's steps to the data, each corrected by the slope at its end where that is not the data."""
    x = e.recipe.sigma_max * white
    for now, after in zip(levels[:-1], levels[1:], strict=True):
        slope = (x - denoised(e, x, now)) / now
        guess = x + (after - now) * slope
        if correct and after > 0:
            slope = (slope + (guess - denoised(e, guess, after)) / after) / 2
        x = x + (after - now) * slope
    return ((x + 1) / 2).clamp(0, 1)


def preview(e, data):
    x0 = 2 * data.batch(torch.arange(4))["image"] - 1
    eps, rows = noise(e, 20, *e.shape), []
    for k, image in enumerate(x0):
        for j, sigma in enumerate((0.1, 0.3, 1.0, 3.0, 10.0)):
            x = image + sigma * eps[5 * k + j]
            rows += [image, x, denoised(e, x[None], sigma)[0]]
    return {"denoised": ((torch.stack(rows) + 1) / 2).clamp(0, 1)}


SLIPS = {
    "images in another range": (
        "diffusion/edm",
        "EdmExperiment.preview",
        "2 * data.batch(torch.arange(min(len(data), 4)))['image'] - 1  ->  first term alone",
    )
}
