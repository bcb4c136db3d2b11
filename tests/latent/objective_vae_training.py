"""The objective of the experiment latent/vae_training, by functions with contracts."""

import torch

from practice_torch.experiments.latent import vae_training as experiment
from practice_torch.latent.vae_training import cyclical_kl_weight, free_bits_kl, kl_per_dimension, linear_kl_weight
from tests.latent.objective_vae import parts_of_the_bound
from tests.support.objectives import Mistake, Objective


def vae_training(e, batch, phase):
    """The KL above its floor, of every latent's mean over the batch, with the step's weight."""
    log_likelihood, mean, log_var, _ = parts_of_the_bound(e, batch)
    weight, recipe = 1.0, e.recipe
    if recipe.kl_schedule == "linear":
        weight = linear_kl_weight(e.step, warmup_steps=recipe.kl_warmup_steps)
    if recipe.kl_schedule == "cyclical":
        weight = cyclical_kl_weight(e.step, cycle_length=recipe.cycle_length, ramp_fraction=recipe.ramp_fraction)
    rate = free_bits_kl(kl_per_dimension(mean, log_var).mean(0)[None], minimum=recipe.free_nats)
    return (weight * rate).sum() - log_likelihood.mean()


MISTAKES = {
    "no weight of the KL": Mistake(
        experiment, "linear_kl_weight", lambda step, *, warmup_steps: torch.ones(1), dict(kl_schedule="linear")
    )
}
OBJECTIVE = Objective(vae_training, unread={"samples"}, mistakes=MISTAKES, sizes=dict(cycle_length=8))
