"""The learning rate schedule: warm-up, then constant or half a cosine."""

import math

from practice_torch.engine.recipe import Recipe


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Factor of the learning rate in step `step` (from 1 to the recipe's last).

    Linear from 1/w to 1 in the w steps of warm-up; then 1, or with "cosine"
    final + (1 - final) (1 + cos(pi s)) / 2, s going from 0 to 1 over the steps that are left.
    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.
    """
    if step < recipe.warmup_steps:
        return step / recipe.warmup_steps
    if recipe.schedule == "constant":
        return 1.0
    done = (step - recipe.warmup_steps) / max(recipe.steps - recipe.warmup_steps, 1)
    return recipe.final_learning_rate + (1 - recipe.final_learning_rate) * (1 + math.cos(math.pi * done)) / 2
