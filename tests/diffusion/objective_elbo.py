"""The objective of the experiment diffusion/elbo, by functions with contracts."""

import torch

from practice_torch.diffusion.simple_loss import simple_loss
from practice_torch.networks.fourier_features import fourier_features
from tests.support.objectives import Objective, normal


def rounded(e, batch):
    last = e.recipe.num_levels - 1
    return 2 * (batch["image"] * last).round() / last - 1


def any_level(e, x0):
    return torch.randint(1, e.recipe.num_steps + 1, (len(x0),), generator=e.generator)


def bound(e, batch, phase):
    x0 = rounded(e, batch)
    t = any_level(e, x0)

    def denoise(x, t):
        return e.network(fourier_features(x, e.recipe.frequencies), t)

    return simple_loss(x0, t, normal(e, *x0.shape), denoise, e.alpha_bar).mean() / x0[0].numel()


OBJECTIVE = Objective(bound, unread={"measured_images", "variance"})
