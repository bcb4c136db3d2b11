"""Mixtures by torch.distributions; EM's climb by responsibilities that are normalized densities."""

import math

import torch

from tests.support.metrics import mean

FIELDS = {"eight_gaussians": {"iterations": 3}, "digits": {"iterations": 3, "components": 3}}
FLOAT32 = True
COUNT = 24


def mixture(e, name=""):
    log_weights, means, factors = (getattr(e, f"{name}{part}").double() for part in ("log_weights", "means", "factors"))
    components = torch.distributions.MultivariateNormal(means, scale_tril=factors)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=log_weights), components)


def points(e, batch):
    if "point" in batch:
        return batch["point"].double()
    x = batch["image"].flatten(1)
    return ((x - e.center) @ e.axes).double()


def evaluate(e, data):
    x = points(e, data.batch())
    weights = e.log_weights.double().exp()
    return {
        "nats": -mean(mixture(e).log_prob(x)),
        "one_gaussian": -mean(mixture(e, "one_").log_prob(x)),
        "components_in_use": math.prod(w**-w for w in weights.tolist() if w > 0),
    }


def preview(e, data):
    drawn = {"climb": [("plot", range(1, len(e.climb) + 1), e.climb)]}
    if "point" in data.batch():
        made = e.drawn(1000)  # the sampler has its own tests
        turns = [2 * math.pi * k / 59 for k in range(60)]
        ellipses = []
        for center, factor in zip(e.means.double(), e.factors.double(), strict=True):
            around = [center + 2 * factor @ torch.tensor([math.cos(a), math.sin(a)], dtype=factor.dtype) for a in turns]
            ellipses.append(("plot", *torch.stack(around).T))
        return drawn | {"draws": [("scatter", *data.batch()["point"].T), ("scatter", *made.T), *ellipses]}
    order = sorted(range(len(e.means)), key=lambda k: -float(e.log_weights[k]))
    images = [(e.center + e.axes @ e.means[k]).clamp(0, 1).view(e.shape) for k in order]
    return drawn | {"means": torch.stack(images)}
