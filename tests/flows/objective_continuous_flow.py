"""The objective of the experiment flows/continuous_flow, by functions with contracts."""

import torch

from practice_torch.flows.continuous_flow import kinetic_energy
from practice_torch.flows.continuous_flow import log_prob as flow_log_prob
from tests.support.objectives import Objective


def followed_back(e, batch, phase):
    x, times = batch["point"], torch.linspace(1, 0, e.recipe.solver_steps + 1)
    axes = x.shape[1] ** 0.5 * torch.eye(x.shape[1])[:, None].expand(-1, *x.shape)

    def velocity(x, time):
        return e.network.velocity(torch.cat([x, time.expand(len(x), 1)], 1))

    energy = kinetic_energy(x, times, velocity).mean()
    return e.recipe.kinetic_weight * energy - flow_log_prob(x, axes, times, velocity).mean()


OBJECTIVE = Objective(followed_back, unread={"points", "judged_steps"})
