"""Bounds of several draws by torch.distributions."""

import math

import torch

from tests.support.metrics import bernoulli, mean, noise, normal, standard_normal

FIELDS = {name: {"evaluation_samples": 40} for name in ("digits", "digits_elbo", "mnist", "mnist_5", "mnist_elbo")}


def log_weights(e, x, draws):
    """log p(x, z) - log q(z | x) of draws, [B, S]."""
    center, log_var = e.encoder(x).chunk(2, 1)
    q = normal(center, 10 * torch.tanh(log_var / 10))
    eps = noise(e, len(x) * draws, e.recipe.latent_dim).view(len(x), draws, -1)
    z = q.mean[:, None] + q.stddev[:, None] * eps
    log_q = normal(q.mean[:, None], 2 * q.stddev[:, None].log()).log_prob(z)
    return standard_normal(z).log_prob(z) + bernoulli(e.decoder(z)).log_prob(x[:, None]) - log_q


def pixels(e, batch):
    x = batch["image"].flatten(1)
    return torch.bernoulli(x, generator=e.generator) if e.recipe.pixels == "stochastic" else (x > e.recipe.threshold).double()


def effective(weights):
    """(sum w)^2 / sum w^2, [B]."""
    shares = weights.softmax(1)
    return 1 / shares.square().sum(1)


def logs(e, batch, phase):
    weights = log_weights(e, pixels(e, batch), e.recipe.samples)
    return {"negative_elbo": -mean(weights.mean(1)), "effective_sample_size": mean(effective(weights))}


def evaluate(e, data):
    draws = e.recipe.evaluation_samples
    weights = log_weights(e, pixels(e, data.batch()), draws)
    return {
        "negative_log_likelihood": -mean(weights.exp().mean(1).log()),
        "negative_elbo": -mean(weights.mean(1)),
        "effective_fraction": mean(effective(weights) / draws),
    }


def preview(e, data):
    x = pixels(e, data.batch())
    again = e.decoder(e.encoder(x).chunk(2, 1)[0]).sigmoid()
    pairs = [image.view(e.shape) for pair in zip(x, again, strict=True) for image in pair]
    weights, counts = log_weights(e, x, 512), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    bounds = [mean(weights[:, :count].logsumexp(1) - math.log(count)) for count in counts]
    return {"reconstructions": torch.stack(pairs), "bounds": [("semilogx", counts, bounds)]}
