"""The objective of the experiment diffusion/classifier_guidance, by functions with contracts."""

import torch

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.simple_loss import simple_loss
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from tests.support.objectives import Objective, normal, uniform


def guidance(e, batch, phase):
    x0, label = 2 * batch["image"] - 1, batch["label"]
    t = timesteps_from_uniforms(uniform(e, len(x0)), num_steps=e.recipe.num_steps)
    noise = normal(e, *x0.shape)
    if phase == "denoiser":
        return simple_loss(x0, t, noise, e.denoiser, e.alpha_bar).mean() / x0[0].numel()
    if phase == "clean":
        return categorical_negative_log_likelihood(label, e.clean(x0, torch.zeros_like(t))).mean()
    return categorical_negative_log_likelihood(label, e.noisy(forward_sample(x0, t, noise, e.alpha_bar), t)).mean()


OBJECTIVE = Objective(guidance, unread={"guidance", "judged_samples", "judged_steps", "compared_samples"})
