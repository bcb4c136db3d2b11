"""The objective of the experiment energy/noise_contrastive_estimation, by functions with contracts."""

import math

import torch

from tests.support.objectives import Objective, normal


def told_from_noise(e, batch, phase):
    """-log of the probability of the right label, of a point and of its draws of noise."""
    x, ratio, law = batch["point"], e.recipe.noise_ratio, torch.distributions.Normal(0.0, e.recipe.noise_deviation)
    noise = e.recipe.noise_deviation * normal(e, len(x) * ratio, 2)

    def cost(points, sign):
        odds = e.network(points)[:, 0] - law.log_prob(points).sum(1) - math.log(ratio)
        return torch.logaddexp(torch.zeros_like(odds), -sign * odds)

    return cost(x, 1).mean() + ratio * cost(noise, -1).mean()


OBJECTIVE = Objective(told_from_noise, unread={"points", "shown_steps"})
