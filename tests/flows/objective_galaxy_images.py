"""The objective of the experiment flows/galaxy_images, by functions with contracts."""

import torch

from practice_torch.experiments.media.telescope import simulate
from practice_torch.flows.probability_paths import linear_path
from tests.support.objectives import Objective, normal, uniform


def galaxies(e, batch, phase):
    """The velocity of straight paths to stretched images, with the properties as planes next to their colors."""
    image = batch["image"] if "image" in batch else simulate(batch["properties"], e.shape[-1], e.generator)
    x1 = (image / e.recipe.softening).asinh()
    time, x0 = uniform(e, len(x1)), normal(e, *x1.shape)
    x_t, slope = linear_path(x0, x1, time)
    given = (batch["properties"] - e.mean) / e.deviation
    planes = given[:, :, None, None] * torch.ones(x1.shape[2:])
    return (e.network(torch.cat([x_t, planes], 1), 1000 * time) - slope).square().mean()


OBJECTIVE = Objective(
    galaxies,
    unread={"galaxies", "side", "sampling_steps", "judged_samples"},
    together=[dict(attention_at=())],
    sizes=dict(side=16, judged_samples=500),
)
