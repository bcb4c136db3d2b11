"""The objective of the experiment diffusion/variational_diffusion, by functions with contracts."""

import math

import torch

from practice_torch.diffusion.variational_diffusion import (
    continuous_diffusion_loss,
    linear_log_snr,
    low_discrepancy_times,
    reconstruction_log_prob,
    variance_preserving_sample,
)
from practice_torch.latent.vae import kl_to_standard_normal
from tests.support.objectives import Objective, normal, uniform


def continuous(e, batch, phase):
    """The bound in bits per dimension: KL of the last level to the normal, half the slope times the error, log p of the grid."""
    index = (batch["image"] * (e.recipe.num_levels - 1)).round().long()
    x0, (top, bottom) = torch.linspace(-1, 1, e.recipe.num_levels)[index], e.ends()
    size = len(x0)
    time = low_discrepancy_times(uniform(e), batch_size=size)
    level = linear_log_snr(time, log_snr_max=top, log_snr_min=bottom)
    z0 = variance_preserving_sample(x0, normal(e, *x0.shape), top.expand(size))
    kept = bottom.sigmoid()
    prior = kl_to_standard_normal(kept.sqrt() * x0.flatten(1), (1 - kept).log().expand(size, x0[0].numel()))
    noise = normal(e, *x0.shape)
    found = e.predictor(variance_preserving_sample(x0, noise, level), level)
    steps = continuous_diffusion_loss(found, noise, (bottom - top).expand(size))
    decoder = reconstruction_log_prob(z0, index, torch.linspace(-1, 1, e.recipe.num_levels), top.expand(size))
    return (prior + steps - decoder).mean() / (x0[0].numel() * math.log(2))


OBJECTIVE = Objective(continuous, unread={"sampling_steps"})
