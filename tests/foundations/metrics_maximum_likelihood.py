"""Tables of counts: probabilities by counting in a loop, nats one observation after another."""

import math
from collections import Counter

import torch

from tests.support.metrics import mean


def evaluate(e, data):
    batch, smoothing = data.batch(), e.recipe.smoothing
    if "image" in batch:
        ones = e.counts[1] + smoothing
        p = ones.double() / (e.counts.sum(0) + 2 * smoothing)
        images = (batch["image"].flatten(1) > e.recipe.threshold).double()
        nats = [-float(torch.distributions.Bernoulli(p).log_prob(image).sum()) for image in images]
        return {"nats_per_image": mean(nats)}
    size, nats = e.counts.shape[1], []
    for context, character in batch["tokens"].tolist():
        row = e.counts[context if e.recipe.order else 0].tolist()
        nats.append(-math.log((row[character] + smoothing) / (sum(row) + size * smoothing)))
    return {"nats_per_character": mean(nats), "perplexity": math.prod(math.exp(each / len(nats)) for each in nats)}


def counted(batch, order, size):
    """The counts of the table in a batch of pairs of characters."""
    pairs = Counter((context if order else 0, character) for context, character in batch["tokens"].tolist())
    return torch.tensor([[pairs[row, column] for column in range(size)] for row in range(size if order else 1)])
