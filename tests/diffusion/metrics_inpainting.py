"""Completions by the chain written out level by level, and their errors image by image."""

import math

import torch

from tests.support.metrics import mean, noise


def levels(last, times):
    """The levels in turn; each but the highest and the data is left downward `times` times."""
    found = [last]
    for level in range(last - 1, 0, -1):
        found += [level, level + 1] * (times - 1) + [level]
    return [*found, 0]


def completed(e, x0, times):
    """The upper half is known, the middle row of an odd number, too."""
    top = (x0.shape[2] + 1) // 2
    x, path = noise(e, *x0.shape), levels(e.recipe.num_steps, times)
    for now, after in zip(path, path[1:], strict=False):
        a, b = float(e.alpha_bar[now]), float(e.alpha_bar[after])
        if after > now:
            x = math.sqrt(b / a) * x + math.sqrt(1 - b / a) * noise(e, *x0.shape)
            continue
        answer = e.network(x, torch.full((len(x),), now))
        data = (math.sqrt(a) * x - math.sqrt(1 - a) * answer).clamp(-1, 1)
        fresh, of_known = noise(e, *x0.shape), noise(e, *x0.shape)
        beta = 1 - a / b
        x = (math.sqrt(b) * beta * data + math.sqrt(a / b) * (1 - b) * x) / (1 - a) + math.sqrt(beta) * fresh * (after > 0)
        x[:, :, :top] = math.sqrt(b) * x0[:, :, :top] + math.sqrt(1 - b) * of_known[:, :, :top]
    return x


def images(data, most):
    return 2 * data.batch(torch.arange(min(len(data), most)))["image"] - 1


def distance(x, y):
    """Between the unknown pixels of two images."""
    return math.sqrt(float((x - y)[:, (x.shape[1] + 1) // 2 :].double().square().sum()))


def score(first, second, x0):
    return mean([(distance(x, z) + distance(y, z) - distance(x, y)) / 2 for x, y, z in zip(first, second, x0, strict=True)])


def evaluate(e, data):
    x0, found = images(data, e.recipe.measured_images), {}
    others = [[x0[k - shift] for k in range(len(x0))] for shift in (1, 2)]
    for name, times in (("relative_score", e.recipe.num_resamples), ("replacement_score", 1)):
        drawn = [completed(e, x0, times) for _ in range(2)]
        found[name] = score(*drawn, x0) / score(*others, x0)
    return found


def preview(e, data):
    x0 = images(data, 16)
    top, grey = (x0.shape[2] + 1) // 2, x0.clone()
    grey[:, :, top:] = -1
    plain, often = (completed(e, x0, times) for times in (1, e.recipe.num_resamples))
    rows = [part for k in range(len(x0)) for part in (x0[k], grey[k], plain[k], often[k])]
    return {"completed": (torch.stack(rows) + 1) / 2}
