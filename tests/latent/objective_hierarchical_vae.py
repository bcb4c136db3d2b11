"""The objective of the experiment latent/hierarchical_vae, by functions with contracts."""

import torch

from practice_torch.autoregressive.discretized_mixture import discretized_logistic_log_prob
from practice_torch.experiments.codes.residual_images import ResidualImages
from practice_torch.experiments.latent import hierarchical_vae as experiment
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.hierarchical_vae import precision_weighted_product
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import bernoulli_log_likelihood, kl_to_standard_normal
from tests.support.objectives import Mistake, Objective, normal, pixels


def both_bounds(e, batch, phase):
    """From the last level down, each level's divergence from its prior; the VAE of one level takes the first of the noise."""
    if isinstance(e, ResidualImages):
        return residual_bound(e, batch)
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


def residual_bound(e, batch):
    """From the last level down, a Gaussian that differs from its prior; every component of a pixel's law by itself."""
    last = e.recipe.num_levels - 1
    x = 2 * (batch["image"] * last).round() / last - 1
    noise = normal(e, len(x), e.recipe.groups, e.recipe.latent_dim, *(side // 2 for side in e.shape[1:]))
    law, rates = e.network(x, noise)
    numbers = law.view(len(x), 3, e.recipe.components, -1)
    cells = [
        discretized_logistic_log_prob(x.flatten(1), mean, log_scale.clamp(min=-7), num_levels=e.recipe.num_levels)
        for mean, log_scale in zip(numbers[:, 1].unbind(1), numbers[:, 2].unbind(1), strict=True)
    ]
    log_prob = (numbers[:, 0].log_softmax(1) + torch.stack(cells, 1)).logsumexp(1).sum(1)
    weight = min(1.0, int(e.step) / e.recipe.kl_warmup_steps)
    return (weight * rates.sum(1) - log_prob).mean() / x[0].numel()


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
