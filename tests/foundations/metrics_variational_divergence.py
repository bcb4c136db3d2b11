"""Bounds of KL(p || q) by the mean of the critic on draws: both written out, and the divergence by torch.distributions."""

import torch

from tests.support.metrics import divergence, mean, normal, standard_normal

NAMES = ("gaussians", "gaussians_donsker_varadhan")
FIELDS = dict.fromkeys(NAMES, {"evaluation_draws": 50})


def critics(e, count):
    draws = torch.randn(2, count, e.recipe.dimension, generator=e.generator)
    return [e.critic(x)[:, 0] for x in (e.mean + (e.log_var / 2).exp() * draws[0], draws[1])]


def bounds(of_p, of_q):
    return {"nwj": mean(of_p) - mean((of_q - 1).exp()), "donsker_varadhan": mean(of_p) - float(of_q.exp().mean().log())}


def logs(e, batch, phase):
    return {"bound": bounds(*critics(e, e.recipe.batch_size))[e.recipe.bound]}


def evaluate(e, data):
    found = bounds(*critics(e, e.recipe.evaluation_draws))
    true = float(divergence(normal(e.mean, e.log_var), standard_normal(e.mean)))
    return found | {"divergence": true, "relative_error": abs(found[e.recipe.bound] / true - 1)}


def preview(e, data):
    draws = torch.randn(2, 1000, e.recipe.dimension, generator=e.generator)
    points = torch.cat([e.mean + (e.log_var / 2).exp() * draws[0], draws[1]])
    true = normal(e.mean, e.log_var).log_prob(points) - standard_normal(e.mean).log_prob(points)
    # the best critic of the first bound is 1 + log p/q; that of the second is log p/q up to a constant
    shift = 1.0 if e.recipe.bound == "nwj" else e.log_normalizer
    return {"log_ratio": [("scatter", true, e.critic(points)[:, 0] - shift), ("axline", (0, 0), {"slope": 1})]}
