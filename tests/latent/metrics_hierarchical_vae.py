"""The bounds of a ladder VAE and of a VAE of one level by torch.distributions, and pictures; of a residual ladder by SciPy."""

import math

import numpy as np
import scipy.stats
import torch

from tests.latent.metrics_vae import pixels
from tests.support.metrics import bernoulli, divergence, mean, noise, normal, standard_normal

DRAWS = 20
STEP = 0.03  # a deep ladder without norms magnifies moves of its parameters


def ladder(e, x):
    """(-log p(x | z_1), [the divergence of each level]) of one draw; precisions are added as they are."""
    widths = e.recipe.latent_dims
    parts = noise(e, len(x), sum(widths)).split(widths, 1)
    messages = [normal(*message) for message in zip(*e.network.encode(x), strict=True)]
    rates, z = [], None
    for level in reversed(range(len(widths))):
        q, p = messages[level], standard_normal(messages[level].mean)
        if z is not None:
            p = normal(*e.network.prior(level, z))
            variance = 1 / (1 / q.variance + 1 / p.variance)
            q = normal(variance * (q.mean / q.variance + p.mean / p.variance), variance.log())
        rates.insert(0, divergence(q, p))
        z = q.mean + q.stddev * parts[level]
    return -bernoulli(e.network.decode(z)).log_prob(x), rates


def one_level(e, x):
    q = normal(*e.flat.encode(x))
    z = q.mean + q.stddev * noise(e, len(x), sum(e.recipe.latent_dims))[:, : q.mean.shape[1]]
    return divergence(q, standard_normal(q.mean)) - bernoulli(e.flat.decode(z)).log_prob(x)


def bits(e, images):
    """(bits per dimension, those of each level) of one draw: probabilities of cells between the edges of levels."""
    last, size = e.recipe.num_levels - 1, math.prod(e.shape)
    codes = (images * last).round()
    eps = noise(e, len(codes), e.recipe.groups, e.recipe.latent_dim, *(side // 2 for side in e.shape[1:]))
    law, rates = (part.detach() for part in e.network(2 * codes / last - 1, eps))
    logits, mean, log_scale = law.unflatten(1, (3, e.recipe.components, e.shape[0])).unbind(1)
    laws = scipy.stats.logistic(mean, log_scale.clamp(min=-7).exp())
    below = ((2 * codes[:, None] - 1) / last - 1).where(codes[:, None] != 0, -math.inf)
    above = ((2 * codes[:, None] + 1) / last - 1).where(codes[:, None] != last, math.inf)
    # of two differences the one that is not of numbers near 1
    cells = np.maximum(laws.cdf(above) - laws.cdf(below), laws.sf(below) - laws.sf(above))
    shares = (logits.softmax(1) * torch.as_tensor(cells)).sum(1)
    return -shares.log2().flatten(1).sum(1) / size, rates / math.log(2) / size


def logs(e, batch, phase):
    if phase == "train":
        return {"rate": mean(bits(e, batch["image"])[1].sum(1))}
    if phase == "one level":
        return {}
    _, rates = ladder(e, pixels(e, batch["image"]))
    return {"kl": mean(sum(rates)), "kl_above": mean(sum(rates[1:]))}


def evaluate(e, data):
    if hasattr(e.recipe, "groups"):
        distortion, rates = bits(e, data.batch()["image"])
        rate, above = mean(rates.sum(1)), mean(rates[:, 1:].sum(1))
        return {"bits_per_dimension": mean(distortion) + rate, "rate": rate, "rate_above": above}
    draws = []
    for _ in range(DRAWS):
        x = pixels(e, data.batch()["image"])
        reconstruction, rates = ladder(e, x)
        draws.append([mean(reconstruction), mean(sum(rates)), mean(sum(rates[1:])), mean(one_level(e, x))])
    reconstruction, kl, above, flat = (mean(column) for column in zip(*draws, strict=True))
    found = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl, "kl_above": above}
    return found | {"one_level": flat, "gain": flat - reconstruction - kl}


def shown(e, eps):
    """Images of the drawn levels, from the last down."""
    parts = eps.split(e.recipe.latent_dims, 1)
    z = parts[-1]
    for level in reversed(range(len(parts) - 1)):
        p = normal(*e.network.prior(level, z))
        z = p.mean + p.stddev * parts[level]
    return e.network.decode(z).sigmoid().unflatten(1, e.shape)


def preview(e, data):
    if hasattr(e.recipe, "groups"):
        return {}  # draws of pixels have their own test
    x = pixels(e, data.batch()["image"])
    again = e.network(x, noise(e, len(x), sum(e.recipe.latent_dims)))[0].sigmoid()
    pairs = [image.view(e.shape) for k in range(len(x)) for image in (x[k], again[k])]
    width, size = e.recipe.latent_dims[0], sum(e.recipe.latent_dims)
    above, below = noise(e, 8, size), noise(e, 64, size)
    mixed = torch.stack([torch.cat([below[k, :width], above[k // 8, width:]]) for k in range(64)])
    return {"reconstructions": torch.stack(pairs), "shared_above": shown(e, mixed), "prior_samples": shown(e, noise(e, 64, size))}
