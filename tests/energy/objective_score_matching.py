"""The objective of the experiment energy/score_matching, by functions with contracts."""

import torch

from practice_torch.diffusion.score_prediction import denoising_score_matching_loss
from practice_torch.flows.hutchinson_trace import hutchinson_divergence
from tests.support.objectives import Objective, normal, uniform


def matched_score(e, batch, phase):
    """The denoising loss of diffusion models over its variance; or the divergence, by probes along the axes, or of signs."""
    x, sigma = batch["point"], e.recipe.sigma
    noise = normal(e, *x.shape)
    if e.recipe.loss == "denoising":
        levels = torch.full((len(x),), sigma)
        return denoising_score_matching_loss(x, noise, levels, lambda y, level: e.network(y)).mean() / sigma**2
    y, size = x + sigma * noise, x.shape[1]
    probes = size**0.5 * torch.eye(size)[:, None].expand(-1, *x.shape)
    if e.recipe.loss == "sliced":
        probes = 1.0 - 2.0 * (uniform(e, e.recipe.probes, *x.shape) < 0.5)
    return (hutchinson_divergence(y, probes, e.network) + e.network(y).pow(2).sum(1) / 2).mean()


OBJECTIVE = Objective(matched_score, unread={"points", "shown_steps"})
