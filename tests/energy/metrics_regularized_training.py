"""Energies: the normalizer by a sum over cells, rankings by counting pairs."""

import torch

from tests.adversarial.metrics_gan import plane
from tests.energy.objective_regularized_training import chains_and_data
from tests.flows.metrics_affine_coupling import known
from tests.latent.metrics_anomaly_detection import ranked
from tests.support.judged import back_and_forth
from tests.support.metrics import mean

NAMES = ("two_moons", "digits")
FIELDS = {"two_moons": {"gap_limit": 1e6}, "digits": {"gap_limit": 1e6}}
COUNT = 12


def evaluate(e, data):
    if "image" in data.batch():
        return of_images(e, data)
    points = data.batch()["point"]
    energies, mass = e.network(points), 0.0
    ends = [(min(c) - 3, max(c) + 3) for c in points.T.tolist()]
    widths = [(high - low) / 160 for low, high in ends]
    for column in range(160):
        x = torch.full((160,), ends[0][0] + (column + 0.5) * widths[0])
        y = ends[1][0] + (torch.arange(160) + 0.5) * widths[1]
        mass += float((-e.network(torch.stack([x, y], 1))).exp().sum()) * widths[0] * widths[1]
    log_probs = -energies - torch.tensor(mass).log()
    return {
        "negative_log_likelihood": -mean(log_probs),
        "energy_gap": mean(e.network(e.buffer)) - mean(energies),
        "distance": back_and_forth(points, e.buffer[: len(points)]),
        "divergence": mean(known(points, data.description) - log_probs),
    }


def classes(e, data):
    batch = data.batch()
    x = (batch["image"] - 0.5) / 0.5
    places = range(len(x))
    return [x[[k for k in places if (int(batch["label"][k]) == e.recipe.normal) == kind]] for kind in (True, False)]


def of_images(e, data):
    normal, other = classes(e, data)
    noise = 2 * torch.rand(normal.shape, generator=e.generator) - 1
    energies = [e.network(x).tolist() for x in (normal, other, noise)]
    return {
        "auc": ranked(energies[0], energies[1]),
        "auc_noise": ranked(energies[0], energies[2]),
        "energy_gap": mean(e.network(e.buffer)) - mean(energies[0]),
    }


def preview(e, data):
    if "image" not in data.batch():
        x, y, field = plane(data.batch()["point"], e.network)
        return {"landscape": [("pcolormesh", x, y, field), ("scatter", *e.buffer[:1000].T)]}
    normal, other = classes(e, data)
    noise = 2 * torch.rand(256, *e.shape, generator=e.generator) - 1
    kinds = {"the class": normal, "other classes": other, "chains": e.buffer, "noise": noise}
    histograms = [("hist", e.network(x), {"label": name}) for name, x in kinds.items()]
    return {"samples": (e.buffer[:64] + 1) / 2, "energies": histograms}


def logs(e, batch, phase):
    """The mean energy of the chains after their steps minus that of the data."""
    energies = chains_and_data(e, batch)
    return {"energy_gap": mean(energies[1]) - mean(energies[0])}
