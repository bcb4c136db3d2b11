"""The objective of the experiment adversarial/density_ratio, by functions with contracts."""

import torch

from tests.support.objectives import Objective, normal


def classified(e, batch, phase):
    """Draws of p are drawn before those of q, of which a batch has the rest; the draws of the other of each are not used."""
    size, of_p = e.recipe.batch_size, round(e.recipe.share * e.recipe.batch_size)
    noise_p, noise_q = normal(e, 2, of_p, 2)[0], normal(e, 2, size - of_p, 2)[1]
    total = 0.0
    for distance, classifier in zip(e.recipe.distances, e.classifiers, strict=True):
        points_p = torch.tensor([distance, 0.0]) + e.recipe.deviation * noise_p
        right = torch.cat([classifier(points_p)[:, 0].sigmoid(), (-classifier(noise_q)[:, 0]).sigmoid()])
        total = total - right.log().mean()
    return total


OBJECTIVE = Objective(classified, unread={"evaluation_draws"})
