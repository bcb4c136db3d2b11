"""The objective of the experiment flows/flow_matching, by functions with contracts."""

import torch

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.flows.probability_paths import linear_path
from tests.support.objectives import Objective, normal, uniform


def matched(e, batch, phase):
    """The squared error of x1 - x0, predicted at a place between both; per entry, but for points."""
    recipe = e.recipe
    if recipe.modality == "points":
        x1, label = batch["point"], ()
        x0, time = normal(e, *x1.shape), uniform(e, len(x1))
    else:
        label = (batch["label"] if e.classes else None,)
        if recipe.modality == "images":
            x1 = 2 * batch["image"] - 1
        else:  # half of them upside down
            x1 = recipe.gain * batch["audio"]
            x1 = torch.where(uniform(e, len(x1), 1, 1) < 0.5, -x1, x1)
        time = uniform(e, len(x1)) if recipe.times == "uniform" else 1 / (1 + (-normal(e, len(x1))).exp())
        x0 = normal(e, *x1.shape)
    x_t, velocity = linear_path(x0, x1, time)
    errors = squared_error(e.network(x_t, 1000 * time, *label), velocity)
    return errors.mean() if recipe.modality == "points" else errors.mean() / x1[0].numel()


OBJECTIVE = Objective(
    matched, unread={"points", "judged_steps", "likelihood_steps", "judged_samples"}, together=[dict(attention_at=())]
)
