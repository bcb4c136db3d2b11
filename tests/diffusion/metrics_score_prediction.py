"""Scores of a noised mixture by automatic differentiation of its log-density, level by level."""

import math

import torch

from tests.energy.metrics_score_matching import field
from tests.support.metrics import mean

FLOAT32 = True
TOLERANCE = 1e-3  # the network's answers in float32 are divided by small deviations
FIELDS = {"eight_gaussians": {"num_steps": 8}}


def noised(e, t):
    """The law of x_t."""
    a = float(e.alpha_bar[t])
    deviations = (a * e.stds.square() + 1 - a).sqrt()[:, None].expand_as(e.means)
    components = torch.distributions.Independent(torch.distributions.Normal(math.sqrt(a) * e.means, deviations), 1)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(e.weights), components)


def exact(e, x, t):
    """grad log q(x_t)."""
    with torch.enable_grad():
        place = x.detach().requires_grad_()
        return torch.autograd.grad(noised(e, t).log_prob(place).sum(), place)[0]


def learned(e, x, t):
    """From the predicted velocity v: the noise is sin x + cos v, and the score minus it by its deviation."""
    a = float(e.alpha_bar[t])
    answer = e.network(x.float(), torch.full((len(x),), t)).double()
    return -(math.sqrt(1 - a) * x + math.sqrt(a) * answer) / math.sqrt(1 - a)


def evaluate(e, data):
    steps, fixed, draws = e.recipe.num_steps, torch.Generator().manual_seed(0), 32
    points = data.batch()["point"].double()
    eps = torch.randn(draws * steps, 2, generator=fixed, dtype=torch.float64)
    sizes, errors, losses = ([[] for _ in range(steps)] for _ in range(3))
    for k in range(draws * steps):
        t = k % steps + 1
        a = float(e.alpha_bar[t])
        sigma = math.sqrt(1 - a)
        x = (math.sqrt(a) * points[k % len(points)] + sigma * eps[k])[None]
        right, found = sigma * exact(e, x, t), sigma * learned(e, x, t)
        for column, part in ((sizes, right), (errors, found - right), (losses, (found + eps[k]) / math.sqrt(2))):
            column[t - 1].append(float(part.square().sum()))
    sizes, errors, losses = ([mean(each) for each in column] for column in (sizes, errors, losses))
    found = {"relative_score_error": math.sqrt(sum(errors) / sum(sizes)), "loss": mean(losses), "excess_loss": mean(errors) / 2}
    quarters = [torch.tensor(column).tensor_split(4) for column in (errors, sizes)]
    for number, (error, size) in enumerate(zip(*quarters, strict=True), start=1):
        found[f"error_quarter_{number}"] = math.sqrt(sum(error) / sum(size))
    return found


def preview(e, data):
    """Both scores in deviations of the noise, at the levels where 0.2, 0.7 and 0.98 of the variance is data."""
    reach, drawn = 1.5 * float(e.means.abs().max()), []
    for share in (0.2, 0.7, 0.98):
        t = min(range(1, len(e.alpha_bar)), key=lambda t: abs(float(e.alpha_bar[t]) - share))  # noqa: B023
        sigma = math.sqrt(1 - float(e.alpha_bar[t]))
        fields = [lambda x, t=t, s=sigma: s * exact(e, x, t), lambda x, t=t, s=sigma: s * learned(e, x, t)]
        drawn += field(reach, lambda x, t=t: noised(e, t).log_prob(x), fields)
    return {"fields": drawn}
