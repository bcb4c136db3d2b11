"""The objectives of the experiments latent/vae_training, by functions with contracts."""

import torch

from practice_torch.experiments.latent import vae_training as experiment
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from practice_torch.latent.vae import kl_to_standard_normal
from practice_torch.latent.vae_training import cyclical_kl_weight, free_bits_kl, kl_per_dimension, linear_kl_weight
from tests.latent.objective_vae import parts_of_the_bound
from tests.support.objectives import Mistake, Objective, normal, uniform


def vae_training(e, batch, phase):
    """The KL above its floor, of every latent's mean over the batch, with the step's weight."""
    if "tokens" in batch:
        return of_text(e, batch["tokens"], phase)
    log_likelihood, mean, log_var, _ = parts_of_the_bound(e, batch)
    return weighted(e, mean, log_var) - log_likelihood.mean()


def of_text(e, tokens, phase):
    """Each character given those before it, of which the trained network's decoder sees some as unknown; the first has none."""
    unknown = e.network.embedding.num_embeddings - 1
    inputs = torch.cat([torch.full_like(tokens[:, :1], unknown), tokens[:, :-1]], 1)
    noise = normal(e, len(tokens), e.recipe.latent_dim)
    if phase == "plain":
        logits, mean, log_var = e.plain(tokens, inputs, noise)
        return surprise(logits, tokens) + kl_to_standard_normal(mean, log_var).mean()
    inputs = torch.where(uniform(e, *tokens.shape) < e.recipe.word_dropout, unknown, inputs)
    logits, mean, log_var = e.network(tokens, inputs, noise)
    return surprise(logits, tokens) + weighted(e, mean, log_var)


def surprise(logits, tokens):
    """Sums over the characters of a window, averaged over windows."""
    return categorical_negative_log_likelihood(tokens.flatten(), logits.flatten(0, 1)).view(tokens.shape).sum(1).mean()


def weighted(e, mean, log_var):
    weight, recipe = 1.0, e.recipe
    if recipe.kl_schedule == "linear":
        weight = linear_kl_weight(e.step, warmup_steps=recipe.kl_warmup_steps)
    if recipe.kl_schedule == "cyclical":
        weight = cyclical_kl_weight(e.step, cycle_length=recipe.cycle_length, ramp_fraction=recipe.ramp_fraction)
    rate = free_bits_kl(kl_per_dimension(mean, log_var).mean(0)[None], minimum=recipe.free_nats)
    return (weight * rate).sum()


MISTAKES = {
    "no weight of the KL": Mistake(
        experiment, "linear_kl_weight", lambda step, *, warmup_steps: torch.ones(1), dict(kl_schedule="linear")
    )
}
# a cycle has an effect where it is the schedule
CYCLES = ({"kl_schedule": "cyclical", "cycle_length": 6}, {"kl_schedule": "cyclical", "ramp_fraction": 0.7})
OBJECTIVE = Objective(vae_training, unread={"samples"}, mistakes=MISTAKES, sizes=dict(cycle_length=8), together=CYCLES)
