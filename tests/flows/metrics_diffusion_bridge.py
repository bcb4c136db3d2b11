"""As flows/flow_matching on the path x_t = sin(pi t / 2) data + cos(pi t / 2) noise; two other ways along it, written out."""

import math

import torch

from tests.flows import metrics_flow_matching
from tests.flows.metrics_flow_matching import preview, velocity  # noqa: F401 - drawn alike
from tests.support.judged import energy_distance
from tests.support.metrics import mean, noise

FIELDS = {"two_moons": {"likelihood_steps": 3}}
COUNT = 12


def parts(e, x, time):
    """(data, noise) that the velocity predicts at a place of the cosine path."""
    sine, cosine = math.sin(math.pi * time / 2), math.cos(math.pi * time / 2)
    turned = velocity(e, x, time) * 2 / math.pi  # data cosine - noise sine
    return sine * x + cosine * turned, cosine * x - sine * turned


def linear(e, y, time):
    """The velocity of the straight path, data - noise, by the cosine path at the same ratio of data and noise."""
    own = 2 / math.pi * math.atan2(time, 1 - time)
    data, start = parts(e, y * (math.sin(math.pi * own / 2) + math.cos(math.pi * own / 2)), own)
    return data - start


def evaluate(e, data):
    found = metrics_flow_matching.evaluate(e, data)
    points, steps = data.batch()["point"], e.recipe.judged_steps
    # the loss is of the cosine path, with draws of a separate generator
    fixed = torch.Generator().manual_seed(0)
    x0, losses = torch.randn(points.shape, generator=fixed), []
    for a, b, t in zip(x0, points, torch.rand(len(points), generator=fixed).tolist(), strict=True):
        sine, cosine = math.sin(math.pi * t / 2), math.cos(math.pi * t / 2)
        target = math.pi / 2 * (cosine * b - sine * a)
        losses.append((velocity(e, (sine * b + cosine * a)[None], t)[0] - target).square().sum())
    start = noise(e, *points.shape)
    y = start
    for k in range(steps):
        half = y + linear(e, y, k / steps) / steps / 2
        y = y + linear(e, half, (k + 0.5) / steps) / steps
    x, many = start, 10 * steps
    for k in range(many):
        time = k / many
        sigma = math.cos(math.pi * time / 2)
        g = e.recipe.diffusion * sigma
        score = -parts(e, x, time)[1] / sigma
        drift = velocity(e, x, time) + g**2 / 2 * score
        x = x + drift / many + g * noise(e, *x.shape) / math.sqrt(many)
    return found | {
        "loss": mean(losses),
        "energy_distance_linear": energy_distance(points, y),
        "energy_distance_noise": energy_distance(points, x),
    }
