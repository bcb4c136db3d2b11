"""The objective of the experiment diffusion/cascaded, by functions with contracts."""

import torch

from practice_torch.diffusion.cascaded import conditioning_augmentation
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.super_resolution import average_pool, concatenate_low_resolution
from practice_torch.experiments.diffusion import cascaded as experiment
from tests.diffusion.objective_elbo import any_level
from tests.support.objectives import Mistake, Objective, normal


def both_stages(e, batch, phase):
    """Velocities of small images; and of sharp ones, of a network that sees the noisy small image and its level."""
    x0 = 2 * batch["image"] - 1
    small = average_pool(x0, window=2)
    if phase == "large":
        highest = round(e.recipe.augmentation * e.recipe.num_steps)
        level = torch.randint(0, highest + 1, (len(x0),), generator=e.generator)
        seen = conditioning_augmentation(small, normal(e, *small.shape), level, e.alpha_bar)
    else:
        x0 = small
    t, noise = any_level(e, x0), normal(e, *x0.shape)
    x_t = forward_sample(x0, t, noise, e.alpha_bar)
    answer = e.large(concatenate_low_resolution(x_t, seen), t, level) if phase == "large" else e.small(x_t, t)
    return squared_error(answer, velocity(x0, noise, t, e.alpha_bar)).mean() / x0[0].numel()


def _without(low_resolution, noise, level, alpha_bar):
    return low_resolution


MISTAKES = {
    "the noise for the velocity": Mistake(experiment, "velocity", lambda x0, noise, t, alpha_bar: noise),
    "no noise on the small images": Mistake(experiment, "conditioning_augmentation", _without),
}
OBJECTIVE = Objective(
    both_stages,
    unread={"judged_steps", "judged_samples", "judged_level"},
    mistakes=MISTAKES,
    sizes=dict(judged_steps=3),
    together=[dict(augmentation=0.0, judged_level=0.0), dict(attention_at=())],
)
