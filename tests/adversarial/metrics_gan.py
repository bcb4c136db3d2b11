"""Fakes of points: distances and modes by loops; the discriminator's opinion place by place."""

import torch

from tests.support.judged import back_and_forth, covered
from tests.support.metrics import mean, noise

FIELDS = {name: {"radius": 2.0} for name in ("eight_gaussians", "eight_gaussians_overpowered")}
COUNT = 40  # of few fakes each would be a quarter of a mode's share


def fakes(e, count):
    return e.generator_network(noise(e, count, e.recipe.noise))


def opinion(e, points):
    return 1 / (1 + (-e.discriminator(points)[:, 0]).exp())


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    made = fakes(e, len(batch["point"]))
    return {"real": mean(opinion(e, batch["point"])), "fake": mean(opinion(e, made))}


def evaluate(e, data):
    real = data.batch()["point"]
    made = fakes(e, len(real))
    found = {"distance": back_and_forth(real, made), "real": mean(opinion(e, real)), "fake": mean(opinion(e, made))}
    found |= {"discriminator_loss": e.statistics.loss, "lowest_discriminator_loss": e.statistics.lowest}
    mixture = data.description.get("mixture")
    return found | (covered(made, mixture, e.recipe.radius) if mixture else {})


def preview(e, data):
    real = data.batch()["point"]
    x, y, background = plane(real, lambda points: opinion(e, points))
    return {"points": [("pcolormesh", x, y, background), ("scatter", *real.T), ("scatter", *fakes(e, 2000).T)]}


def plane(real, function):
    """x, y and the function at 120 x 120 places around points, a row for each y."""
    x, y = (torch.linspace(min(c) - 1, max(c) + 1, 120).float() for c in real.T.tolist())
    rows = [function(torch.stack([x.to(real), height.to(real).expand(120)], 1)) for height in y]
    return x, y, torch.stack(rows).float()


SLIPS = {"a mode covered by its whole share": ("judging/points", "modes", "weights / 4  ->  not divided")}
