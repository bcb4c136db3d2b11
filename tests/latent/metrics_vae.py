"""Variational autoencoders by torch.distributions: what others are judged by as well is here."""

import math

import torch

from tests.support.metrics import UpToSign, bernoulli, divergence, mean, noise, normal, standard_normal


def pixels(e, image):
    x = image.flatten(1)
    if e.recipe.pixels == "threshold":
        return (x > e.recipe.threshold).to(x.dtype)
    return torch.bernoulli(x, generator=e.generator) if e.recipe.pixels == "stochastic" else x


def log_likelihood(e, x, logits):
    """log p(x | z), [..., D] -> [...]; of real pixels the Gaussian's variance is the mean square of the residuals."""
    if e.recipe.pixels not in ("real", "gaussian"):
        return bernoulli(logits).log_prob(x)
    center = logits.sigmoid()
    if e.recipe.pixels == "gaussian":
        return torch.distributions.Normal(center, e.recipe.deviation).log_prob(x).sum(-1)
    variance = (x - center).square().mean(-1, keepdim=True)
    return torch.distributions.Normal(center, variance.sqrt()).log_prob(x).sum(-1)


def bound(e, batch):
    """(log p(x | z), q(z | x), z) of one draw for each image."""
    x = pixels(e, batch["image"])
    q = normal(*e.network.encode(x))
    z = q.mean + q.stddev * noise(e, *q.mean.shape)
    return log_likelihood(e, x, e.network.decode(z)), q, z


def rate(q):
    return divergence(q, standard_normal(q.mean))


def logs(e, batch, phase):
    return {"kl": mean(rate(bound(e, batch)[1]))}


def evaluate(e, data):
    draws, x = e.recipe.samples, pixels(e, data.batch()["image"])
    q = normal(*e.network.encode(x))
    eps = noise(e, len(x) * draws, e.recipe.latent_dim).view(len(x), draws, -1)
    z = q.mean[:, None] + q.stddev[:, None] * eps
    logits = e.network.decode(z.flatten(0, 1)).view(len(x), draws, -1)
    log_p = log_likelihood(e, x[:, None].expand_as(logits), logits)
    reconstruction, kl = -mean(log_p.mean(1)), mean(rate(q))
    found = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    means = q.mean.T.tolist()
    found["active_units"] = sum(mean([(m - mean(each)) ** 2 for m in each]) > 0.01 for each in means)
    if e.recipe.pixels == "real":
        return found
    log_weights = log_p + standard_normal(z).log_prob(z) - standard_normal(eps).log_prob(eps) + q.stddev.log().sum(-1)[:, None]
    return found | {"importance_weighted": -mean(log_weights.logsumexp(1) - math.log(draws))}


def preview(e, data):
    x = pixels(e, data.batch()["image"])
    codes = e.network.encode(x)[0]
    shown = lambda z: e.network.decode(z).sigmoid().unflatten(1, e.shape)  # noqa: E731
    pairs = [image for k in range(len(x)) for image in (x[k].view(e.shape), shown(codes)[k])]
    half = len(x) // 2
    ends = zip(codes[:half], codes[half:], strict=False)
    paths = [shown(((1 - k / 9) * first + k / 9 * last)[None])[0] for first, last in ends for k in range(10)]
    return {
        "reconstructions": torch.stack(pairs),
        "interpolations": torch.stack(paths),
        "prior_samples": shown(noise(e, 64, e.recipe.latent_dim)),
        "latent_map": on_principal_axes(codes, data.batch().get("label")),
    }


def on_principal_axes(codes, labels):
    """The codes on the two axes on which they vary most."""
    away = codes - codes.mean(0)
    axes = torch.linalg.eigh(away.T @ away).eigenvectors.flip(1)[:, :2]
    x, y = (away @ axes).T[[0, -1]]
    return [("scatter", UpToSign(x), UpToSign(y), {"c": labels})]
