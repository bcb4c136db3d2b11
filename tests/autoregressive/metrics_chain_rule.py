"""Images pixel by pixel in several orders, by torch.distributions."""

import math

import torch

from tests.support.metrics import bernoulli, mean


def pixels(e, image):
    x = image.flatten(1)
    if e.recipe.pixels == "stochastic":
        return torch.bernoulli(x, generator=e.generator)
    return (x > e.recipe.threshold).to(x.dtype)


def evaluate(e, data):
    x = pixels(e, data.batch()["image"])
    each = [bernoulli(e.network(x, k)).log_prob(x) for k in range(e.network.orders)]
    mixture = -mean((sum(part.exp() for part in each) / len(each)).log())
    return {"nats_per_image": mixture, "first_order": -mean(each[0]), "bits_per_pixel": mixture / x.shape[1] / math.log(2)}


def preview(e, data):
    """Completions keep the upper half and draw each pixel below from the conditional of those before it."""
    x = pixels(e, data.batch()["image"])
    drawn = torch.rand(7 * len(x), x.shape[1], generator=e.generator)
    rows, half = [], x.shape[1] // 2
    for k, row in enumerate(x):
        rows.append(row)
        for uniforms in drawn[7 * k : 7 * k + 7]:
            one = row.clone()
            for place in range(half, len(row)):
                one[place] = float(uniforms[place] < e.network(one[None], 0)[0, place].sigmoid())
            rows.append(one)
    return {"completions": torch.stack(rows).unflatten(1, e.shape)}
