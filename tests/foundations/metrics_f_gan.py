"""Fakes and critic: distances pair by pair, modes one by one; the bound is the value of the critic's game."""

import torch

from practice_torch.foundations.f_gan import f_gan_critic_loss
from tests.support.metrics import mean, noise


def fakes(e, count):
    return e.generator_network(noise(e, count, e.recipe.noise))


def nearest(points, others):
    """The distance from each point to the nearest of the others."""
    return [min(float((point - other).norm()) for other in others) for point in points]


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    real = batch["point"]
    made = fakes(e, len(real)).detach()
    row = {"divergence": e.recipe.divergence, "alpha": e.recipe.alpha}
    return {"bound": mean(-f_gan_critic_loss(e.critic(real)[:, 0], e.critic(made)[:, 0], **row))}


def evaluate(e, data):
    real = data.batch()["point"]
    made = fakes(e, len(real))
    found = {"distance": (mean(nearest(made, real)) + mean(nearest(real, made))) / 2}
    if "mixture" not in data.description:
        return found
    mixture, counts = data.description["mixture"], {}
    for point in made:
        away = [float((point - torch.tensor(center)).norm()) for center in mixture["means"]]
        mode = away.index(min(away))
        if away[mode] <= 3 * mixture["stds"][mode]:
            counts[mode] = counts.get(mode, 0) + 1
    covered = sum(counts.get(k, 0) / len(made) >= weight / 4 for k, weight in enumerate(mixture["weights"]))
    return found | {"modes": covered, "high_quality": sum(counts.values()) / len(made)}


def preview(e, data):
    real, made = data.batch()["point"][:2000], fakes(e, 2000)
    return {"points": [("scatter", *real[:, :2].T), ("scatter", *made[:, :2].T)]}
