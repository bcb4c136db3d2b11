"""The objective of the experiment latent/reparameterization, by functions with contracts."""

import math

import torch

from practice_torch.latent.reparameterization import gumbel_softmax, leave_one_out_advantage
from practice_torch.latent.vae import bernoulli_log_likelihood
from tests.support.objectives import Objective, pixels, uniform


def categorical_code(e, batch, phase):
    """The decoder learns from the mean over codes; the encoder by the relaxation, or by weighted gradients of log q."""
    x, recipe = pixels(e, batch), e.recipe
    logits = e.encoder(x).unflatten(1, (recipe.codes, recipe.categories))
    log_q = logits.log_softmax(-1)
    rate = (log_q.exp() * (log_q + math.log(recipe.categories))).sum((1, 2))

    def log_likelihood(codes):
        each = [bernoulli_log_likelihood(x, e.decoder(codes[:, s].flatten(1))) for s in range(recipe.samples)]
        return torch.stack(each, 1)

    if recipe.estimator == "relaxed":
        temperature = recipe.first_temperature * (recipe.last_temperature / recipe.first_temperature) ** (e.step / recipe.steps)
        repeated = logits.repeat_interleave(recipe.samples, 0)
        codes = gumbel_softmax(uniform(e, *repeated.flatten(0, 1).shape), repeated.flatten(0, 1), temperature=temperature)
        return (rate - log_likelihood(codes.view(len(x), recipe.samples, *logits.shape[1:])).mean(1)).mean()
    index = torch.multinomial(log_q.exp().flatten(0, 1), recipe.samples, replacement=True, generator=e.generator)
    codes = torch.nn.functional.one_hot(index, recipe.categories).unflatten(0, logits.shape[:2]).transpose(1, 2).to(x.dtype)
    values = log_likelihood(codes)
    weight = values if recipe.estimator == "score" else leave_one_out_advantage(values)
    surrogate = values + weight.detach() * (codes * log_q[:, None]).sum((2, 3))
    return (rate - surrogate.mean(1)).mean()


OBJECTIVE = Objective(
    categorical_code,
    together=[dict(estimator="leave_one_out", samples=3)],
    surrogate=True,
    sizes=dict(categories=4, hidden_dim=8),
)
