"""Scores of the noisy mixture by automatic differentiation of its log-density."""

import math

import torch

from tests.support.metrics import mean

FLOAT32 = True


def mixture(e, data):
    parts = data.description["mixture"]
    means, stds, weights = (torch.tensor(parts[name], dtype=torch.float64) for name in ("means", "stds", "weights"))
    deviation = (stds.square() + e.recipe.sigma**2).sqrt()[:, None].expand_as(means)
    components = torch.distributions.Independent(torch.distributions.Normal(means, deviation), 1)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weights), components)


def exact(e, data, x):
    with torch.enable_grad():
        place = x.double().detach().requires_grad_()
        return torch.autograd.grad(mixture(e, data).log_prob(place).sum(), place)[0]


def evaluate(e, data):
    x = data.batch()["point"]
    noisy = x + e.recipe.sigma * torch.randn(x.shape, generator=e.generator)
    right = exact(e, data, noisy)
    errors = (right - e.network(noisy)).square().sum(1) / 2
    sizes = right.square().sum(1) / 2
    return {"relative_score_error": math.sqrt(mean(errors) / mean(sizes)), "fisher_divergence": mean(errors)}
