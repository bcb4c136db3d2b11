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


def preview(e, data):
    """Both scores in deviations of the noise on a square grid, over the root of the density."""
    reach = max(abs(c) for center in data.description["mixture"]["means"] for c in center) + 3 * e.recipe.sigma
    fields = [lambda x: e.recipe.sigma * exact(e, data, x), lambda x: e.recipe.sigma * e.network(x.float())]
    return {"score": field(reach, mixture(e, data).log_prob, fields)}


def field(reach, log_prob, fields):
    """The picture of scores over a square of 41 x 41 points: the root of the density, relative to its largest, a row for each
    height; and arrows at every other place, of length 2 at most.
    """
    line = torch.linspace(-reach, reach, 41, dtype=torch.float64)
    places = torch.stack([torch.stack([x, y]) for x in line for y in line])
    density = log_prob(places)
    shade = ((density - density.max()) / 2).exp().view(41, 41).T
    some = [41 * i + j for i in range(0, 41, 2) for j in range(0, 41, 2)]
    drawn = [("pcolormesh", line, line, shade)]
    for score in fields:
        arrows = []
        for arrow in score(places[some]).double():
            arrows.append(arrow * min(1.0, 2 / float(arrow.norm())))
        x, y = (part.view(21, 21) for part in places[some].T)
        drawn.append(("quiver", x, y, *(part.view(21, 21) for part in torch.stack(arrows).T)))
    return drawn
