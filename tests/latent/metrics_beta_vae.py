"""As latent/vae; dependence and gap from tables of counts and from mixtures, written out."""

import math
from collections import Counter

import torch

from tests.latent import metrics_vae
from tests.latent.metrics_vae import bound, pixels, rate
from tests.support.metrics import mean, normal

CODES, BINS = 8, 20


def dependence(z, q, weights):
    """E[log q(z) - sum_d log q(z_d)], where q(z) is the weighted mixture of the posteriors, [N]."""
    each = torch.distributions.Normal(q.mean[None], q.stddev[None]).log_prob(z[:, None])  # [N, N, D]
    return (each.sum(2) + weights).logsumexp(1) - (each + weights[..., None]).logsumexp(1).sum(1)


def logs(e, batch, phase):
    _, q, z = bound(e, batch)
    found = {"kl": mean(rate(q))}
    if e.recipe.dependence:
        found["total_correlation"] = mean(dependence(z, q, stratified(len(z), e.count)))
    return found


def stratified(batch, count):
    """Logarithms of the weights: an example itself is one of N, and the others of the batch share the rest evenly."""
    count = max(count, batch)
    own = torch.eye(batch, dtype=torch.bool)
    return torch.where(own, 1 / count, (1 - 1 / count) / (batch - 1)).log()


def codes(e, data):
    drawn, factors = [], []
    for _ in range(CODES):
        _, _, z = bound_without_likelihood(e, data.batch())
        drawn.append(z)
        factors.append(data.batch()["factors"])
    return torch.cat(drawn), torch.cat(factors)


def bound_without_likelihood(e, batch):
    q = normal(*e.network.encode(pixels(e, batch["image"])))
    return None, q, q.mean + q.stddev * torch.randn(q.mean.shape, generator=e.generator)


def entropy(values):
    total = len(values)
    return -sum(count / total * math.log(count / total) for count in Counter(values).values())


def informations(drawn, factors):
    """({latent: [information about each factor]}, [entropy of each factor]), by H(bin) + H(factor) - H(both)."""
    shared = []
    for latent in drawn.T.tolist():
        ranks = {k: rank for rank, k in enumerate(sorted(range(len(latent)), key=lambda k: latent[k]))}
        bins = [ranks[k] * BINS // len(latent) for k in range(len(latent))]
        columns = factors.T.tolist()
        shared.append([entropy(bins) + entropy(c) - entropy(list(zip(bins, c, strict=True))) for c in columns])
    return shared, [entropy(column) for column in factors.T.tolist()]


def gap(drawn, factors):
    shared, entropies = informations(drawn, factors)
    gaps = []
    for k, most in enumerate(entropies):
        if most > 0:
            best, second, *_ = sorted((row[k] for row in shared), reverse=True)
            gaps.append((best - second) / most)
    return mean(gaps)


def evaluate(e, data):
    found = metrics_vae.evaluate(e, data)
    found["gap"] = gap(*codes(e, data))
    image = data.batch()["image"]
    q = normal(*e.network.encode(pixels(e, torch.cat([image, image]))))
    z = q.mean + q.stddev * torch.randn(q.mean.shape, generator=e.generator)
    uniform = torch.full((len(z), len(z)), -math.log(len(z)))
    return found | {"total_correlation": mean(dependence(z, q, uniform))}


def preview(e, data):
    center = e.network.encode(pixels(e, data.batch()["image"][:1]))[0][0]
    rows = []
    for latent in range(len(center)):
        for k in range(10):
            z = center.clone()
            z[latent] = -2 + 4 * k / 9
            rows.append(e.network.decode(z[None]).sigmoid().view(e.shape))
    shared, entropies = informations(*codes(e, data))
    shares = [[part / most if most else 0.0 for part, most in zip(row, entropies, strict=True)] for row in shared]
    informed = [("imshow", torch.tensor(shares))]
    return {"traversals": torch.stack(rows), "informations": informed, **metrics_vae.preview(e, data)}
