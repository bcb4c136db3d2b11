"""Discriminators of batches: opinions of whole batches, modes by loops."""

import torch

from tests.support.judged import covered
from tests.support.metrics import mean, noise

FLOAT32 = True
FIELDS = {name: {"radius": 2.0} for name in ("eight_gaussians", "eight_gaussians_deviation")}
COUNT = 40  # of few fakes each would be a quarter of a mode's share


def fakes(e, count):
    return e.generator_network(noise(e, count, e.recipe.noise))


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    both = e.critic(batch["point"]), e.critic(fakes(e, len(batch["point"])))
    return {name: mean(1 / (1 + torch.exp(-logits))) for name, logits in zip(("real", "fake"), both, strict=True)}


def evaluate(e, data):
    return covered(fakes(e, len(data)), data.description["mixture"], e.recipe.radius)


def preview(e, data):
    return {"points": [("scatter", *data.batch()["point"].T), ("scatter", *fakes(e, 2000).T)]}
