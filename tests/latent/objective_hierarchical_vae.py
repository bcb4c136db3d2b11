"""The objective of the experiment latent/hierarchical_vae, by functions with contracts."""

import torch

from practice_torch.experiments.latent import hierarchical_vae as experiment
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.hierarchical_vae import precision_weighted_product
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import bernoulli_log_likelihood, kl_to_standard_normal
from tests.support.objectives import Mistake, Objective, normal, pixels


def both_bounds(e, batch, phase):
    """From the last level down, each level's divergence from its prior; the VAE of one level takes the first of the noise."""
    x, widths = pixels(e, batch), e.recipe.latent_dims
    noise = normal(e, len(x), sum(widths))
    if phase == "one level":
        mean, log_var = e.flat.encode(x)
        logits = e.flat.decode(reparameterize(noise[:, : widths[0]], mean, log_var))
        return (kl_to_standard_normal(mean, log_var) - bernoulli_log_likelihood(x, logits)).mean()
    noises, messages = noise.split(widths, 1), list(zip(*e.network.encode(x), strict=True))
    rate = kl_to_standard_normal(*messages[-1])
    z = reparameterize(noises[-1], *messages[-1])
    for level in range(len(widths) - 2, -1, -1):
        prior = e.network.prior(level, z)
        posterior = precision_weighted_product(*messages[level], *prior)
        rate = rate + gaussian_kl_divergence(*posterior, *prior)
        z = reparameterize(noises[level], *posterior)
    weight = min(1.0, int(e.step) / e.recipe.kl_warmup_steps)
    return (weight * rate - bernoulli_log_likelihood(x, e.network.decode(z))).mean()


OBJECTIVE = Objective(
    both_bounds,
    sizes={"latent_dims": (3, 2)},
    mistakes={
        "the rates of the first level alone": Mistake(
            experiment, "hierarchical_negative_elbo", lambda loss, kl, weights: loss + weights[0] * kl[:, 0]
        ),
        "no warm-up": Mistake(experiment, "linear_kl_weight", lambda step, *, warmup_steps: torch.ones(1)),
    },
)
