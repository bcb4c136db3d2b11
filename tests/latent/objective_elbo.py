"""The objective of the experiment latent/elbo, by functions with contracts."""

import torch

from practice_torch.experiments.latent import elbo as experiment
from practice_torch.latent.elbo import importance_weighted_bound, renyi_bound
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood
from tests.support.objectives import Mistake, Objective, normal, pixels


def several_draws(e, batch, phase):
    x, draws = pixels(e, batch), e.recipe.samples
    mean, log_var = e.encoder(x).chunk(2, dim=1)
    several = [part.repeat_interleave(draws, 0) for part in (x, mean, 10 * torch.tanh(log_var / 10))]
    z = reparameterize(normal(e, len(several[0]), e.recipe.latent_dim), *several[1:])
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.zeros_like(z))
    log_joint = prior + bernoulli_log_likelihood(several[0], e.decoder(z))
    log_q = gaussian_log_likelihood(z, *several[1:])
    return -renyi_bound(log_joint.view(-1, draws), log_q.view(-1, draws), order=e.recipe.order).mean()


MISTAKES = {
    "the order of the bound left out": Mistake(
        experiment, "renyi_bound", lambda *pair, order: importance_weighted_bound(*pair), dict(order=0.5)
    )
}
OBJECTIVE = Objective(several_draws, unread={"evaluation_samples"}, mistakes=MISTAKES)
