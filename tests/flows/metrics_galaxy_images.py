"""Galaxies: moments pixel by pixel with NumPy, agreement by its correlation coefficients."""

import numpy as np
import torch

from practice_torch.experiments.media.telescope import simulate
from tests.support.metrics import mean, noise

COUNT = 12
TOLERANCE = 1e-4  # moments are of float32 images


def examples(e, batch):
    properties = batch["properties"]
    return simulate(properties, e.shape[-1], e.generator) if e.simulated else batch["image"], properties


def velocity(e, x, time, properties):
    given = (properties - e.mean) / e.deviation
    planes = torch.ones(len(x), given.shape[1], *e.shape[1:]) * given[:, :, None, None]
    return e.network(torch.cat([x, planes], 1), 1000 * torch.as_tensor(time).expand(len(x)))


def drawn(e, properties, start=None):
    x, steps = noise(e, len(properties), *e.shape) if start is None else start, e.recipe.sampling_steps
    for k in range(steps):
        half = x + velocity(e, x, k / steps, properties) / steps / 2
        x = x + velocity(e, half, (k + 0.5) / steps, properties) / steps
    return e.recipe.softening * x.clamp(-20, 20).sinh()


def measured(images):
    """Logarithms of flux and size, axis ratio and (cos, sin) of twice the angle, in a Gaussian window; a row for each image."""
    rows = []
    for image in images.float().mean(1).double().numpy():
        height, width = image.shape
        y, x = np.mgrid[:height, :width] + 0.5
        x, y = x - width / 2, y - height / 2
        light = np.maximum(image, 1e-6) * np.exp(-(x**2 + y**2) / 2 / (0.2 * min(height, width)) ** 2)
        flux = light.sum()
        x, y = x - (light * x).sum() / flux, y - (light * y).sum() / flux
        xx, yy, xy = ((light * part).sum() / flux for part in (x * x, y * y, x * y))
        minor, major = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
        ratio = np.sqrt(minor / major)
        away, angle = (1 - ratio**2) / (1 + ratio**2), np.arctan2(2 * xy, xx - yy)  # twice the angle
        size = np.log(np.sqrt(xx + yy))
        rows.append([np.log(flux), size, ratio, away * np.cos(angle), away * np.sin(angle)])
    return np.array(rows)


def evaluate(e, data):
    images, properties = examples(e, data.batch())
    x1 = (images / e.recipe.softening).asinh()
    time = torch.rand(len(x1), generator=e.generator)
    x0 = noise(e, *x1.shape)
    t = time[:, None, None, None]
    errors = velocity(e, (1 - t) * x0 + t * x1, time, properties) - (x1 - x0)
    found, wanted = measured(drawn(e, properties)), measured(images)
    each = [np.corrcoef(found[:, k], wanted[:, k])[0, 1] for k in range(5)]
    names = ("flux", "size", "axis_ratio")
    agreement = dict(zip(names, each, strict=False)) | {"direction": (each[3] + each[4]) / 2}
    return agreement | {"recovery": min(each[:3]), "loss": mean(errors.square().flatten())}


def preview(e, data):
    images, properties = examples(e, data.batch())
    made, shown = drawn(e, properties), {}
    stretched = lambda part: (part / e.recipe.softening).asinh()  # noqa: E731
    both = stretched(torch.cat([images[:10], made[:10]]))
    shown["requested"] = both / both.max()
    found, wanted = measured(made), measured(images)
    drawings = []
    for k in range(3):
        low, high = min(*found[:, k], *wanted[:, k]), max(*found[:, k], *wanted[:, k])
        scaled = [(part[:, k] - low) / (high - low) for part in (wanted, found)]
        drawings += [("plot", (1.2 * k, 1.2 * k + 1), (0, 1)), ("scatter", 1.2 * k + scaled[0], scaled[1])]
    shown["measured"] = drawings
    one, asked = noise(e, 1, *e.shape), []
    for number in range(len(e.mean)):
        for k in range(10):
            given = e.mean.clone()
            given[number] += 3**0.5 * (2 * k / 9 - 1) * e.deviation[number]
            asked.append(given)
    swept = stretched(drawn(e, torch.stack(asked), torch.cat([one] * len(asked))))
    return shown | {"properties": swept / swept.max()}
