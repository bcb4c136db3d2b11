"""The objective of the experiment flows/rectified_flow, by functions with contracts."""

import torch

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.flows.probability_paths import linear_path
from tests.support.objectives import Objective, normal, uniform


def rectified(e, batch, phase):
    """Flow matching in the first steps; then on noise and where the Euler steps of the average take it, made once."""
    x1, recipe = batch["point"], e.recipe
    network = e.first if phase == "first" else e.network
    if phase == "first":
        x0 = normal(e, *x1.shape)
    else:
        x0 = normal(e, *e.starts.shape)
        x1, count = x0, recipe.reflow_steps
        for step in range(count):
            x1 = x1 + e.average(x1, torch.full((len(x1),), 1000 * step / count)).detach() / count
        rows = torch.randint(len(x0), (len(batch["point"]),), generator=e.generator)
        x0, x1 = x0[rows], x1[rows]
    time = uniform(e, len(x1))
    x_t, velocity = linear_path(x0, x1, time)
    return squared_error(network(x_t, 1000 * time), velocity).mean()


OBJECTIVE = Objective(
    rectified, unread={"points", "judged_steps", "likelihood_steps"}, together=[dict(first_share=0.9)], sizes=dict(reflow_steps=3)
)
