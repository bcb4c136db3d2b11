"""A density in the plane, normalized by a sum over its cells."""

import torch

from tests.adversarial.metrics_gan import plane
from tests.support.metrics import mean


def evaluate(e, data):
    points = data.batch()["point"]
    ends = [(min(c) - 1.5, max(c) + 1.5) for c in points.T.tolist()]
    widths = [(high - low) / 200 for low, high in ends]
    mass = 0.0
    for column in range(200):
        x = torch.full((200,), ends[0][0] + (column + 0.5) * widths[0])
        y = ends[1][0] + (torch.arange(200) + 0.5) * widths[1]
        mass += float(e.network(torch.stack([x, y], 1))[:, 0].exp().sum()) * widths[0] * widths[1]
    log_mass = float(torch.tensor(mass).log())
    return {"log_mass": log_mass, "negative_log_likelihood": log_mass - mean(e.network(points)[:, 0])}


def preview(e, data):
    points = data.batch()["point"]
    field = plane(points, lambda x: e.network(x)[:, 0].exp())
    return {"density": [("pcolormesh", *field), ("scatter", *points.T)]}
