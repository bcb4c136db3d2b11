"""Ratios of Gaussians by torch.distributions; a classifier's ratios by Bayes' rule."""

import math

import torch

from tests.support.metrics import divergence, mean, normal

FIELDS = {"gaussians": {"evaluation_draws": 50}}


def laws(e):
    """p of every pair, and q."""
    center, variance = torch.tensor([[d, 0.0] for d in e.recipe.distances]), e.recipe.deviation**2
    q = normal(torch.zeros(2), torch.zeros(2))
    return [normal(mean_, torch.full((2,), math.log(variance))) for mean_ in center], q


def draws(e, count):
    eps = torch.randn(2, count, 2, generator=e.generator)
    return [p.mean + p.stddev * eps[0] for p in laws(e)[0]], eps[1]


def odds(e):
    """The excess of training draws from p."""
    of_p = round(e.recipe.share * e.recipe.batch_size)
    return of_p / (e.recipe.batch_size - of_p)


def log_ratio(e, pair, points):
    chance = e.classifiers[pair](points)[:, 0].sigmoid()
    return (chance / (1 - chance) / odds(e)).log()


def logs(e, batch, phase):
    of_p = round(e.recipe.share * e.recipe.batch_size)
    points_p, _ = draws(e, of_p)
    _, points_q = draws(e, e.recipe.batch_size - of_p)
    losses = []
    for classifier, points in zip(e.classifiers, points_p, strict=True):
        right = torch.cat([classifier(points)[:, 0].sigmoid(), 1 - classifier(points_q)[:, 0].sigmoid()])
        losses.append(-mean(right.log()))
    return {"nearest": losses[0], "farthest": losses[-1]}


def evaluate(e, data):
    points_p, points_q = draws(e, e.recipe.evaluation_draws)
    ps, q = laws(e)
    near, far = (log_ratio(e, pair, points_p[pair]) for pair in (0, -1))
    true = ps[0].log_prob(points_p[0]) - q.log_prob(points_p[0])
    right = [logit > 0 for logit in e.classifiers[-1](points_p[-1])[:, 0]] + [
        logit < 0 for logit in e.classifiers[-1](points_q)[:, 0]
    ]
    return {
        "ratio_error": math.sqrt(mean([(a - b) ** 2 for a, b in zip(near, true, strict=True)])),
        "estimate": mean(near),
        "divergence": divergence(ps[0], q),
        "mass": mean([math.exp(value) for value in log_ratio(e, 0, points_q)]),
        "estimate_far": mean(far),
        "divergence_far": divergence(ps[-1], q),
        "accuracy_far": mean(right),
    }


def preview(e, data):
    points_p, _ = draws(e, 4000)
    ps, q = laws(e)
    estimates = [mean(log_ratio(e, pair, points)) for pair, points in enumerate(points_p)]
    chasm = [("plot", e.recipe.distances, [divergence(p, q) for p in ps], {"label": "closed form"})]
    chasm += [("plot", e.recipe.distances, estimates, {"label": "estimated"})]
    points_p, points_q = draws(e, 1000)
    points = torch.cat([points_p[0], points_q])
    true = ps[0].log_prob(points) - q.log_prob(points)
    return {"chasm": chasm, "log_ratio": [("scatter", true, log_ratio(e, 0, points)), ("axline", (0, 0), {"slope": 1})]}
