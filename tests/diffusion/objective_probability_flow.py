"""The objective of the experiment diffusion/probability_flow, by functions with contracts."""

import torch

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.variational_diffusion import low_discrepancy_times
from tests.support.objectives import Objective, normal, uniform


def score_at_times(e, batch, phase):
    """The noise's error at times that are evenly spread between the first and 1, in values with uniform noise of their width."""
    recipe = e.recipe
    values = (batch["image"] * (recipe.num_levels - 1)).round()
    uniforms = uniform(e, len(values), values[0].numel()).view(values.shape)
    x0 = 2 * (values + uniforms) / recipe.num_levels - 1
    time = recipe.first_time + (1 - recipe.first_time) * low_discrepancy_times(uniform(e), batch_size=len(x0))
    noise = normal(e, *x0.shape)
    level = torch.exp(-recipe.beta_min * time - (recipe.beta_max - recipe.beta_min) * time**2 / 2)
    alpha, sigma = (part.sqrt()[:, None, None, None] for part in (level, 1 - level))
    x = alpha * x0 + sigma * noise
    found = sigma * x + alpha * e.network(x, 1000 * time)
    return squared_error(found, noise).mean() / x0[0].numel()


OBJECTIVE = Objective(score_at_times, unread={"measured_images"})
