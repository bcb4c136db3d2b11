"""Two networks: code lengths window by window; norms of gradients as roots of sums over all numbers of a block."""

import math

import torch

from tests.autoregressive.metrics_recurrent import TOLERANCE, bits  # noqa: F401
from tests.support.metrics import mean


def norms(e, place, tokens):
    network, found = getattr(e, place), []
    for block in network.blocks:
        leaves = list(block.parameters())
        for leaf in leaves:
            leaf.requires_grad_(True)
        with torch.enable_grad():
            nats = -torch.distributions.Categorical(logits=network(tokens[:, :-1])).log_prob(tokens[:, 1:]).mean()
            gradients = torch.autograd.grad(nats, leaves)
        found.append(math.sqrt(sum(float(value) ** 2 for gradient in gradients for value in gradient.flatten())))
    return found


def evaluate(e, data):
    tokens, found = data.batch()["tokens"], {}
    for place in ("pre", "post"):
        each = norms(e, place, tokens)
        found |= {f"{place}_bits_per_byte": mean(bits(getattr(e, place), tokens)), f"{place}_gradient_lowest": each[0]}
        found[f"{place}_gradient_highest"] = each[-1]
    return found


def preview(e, data):
    """The norms before the first step are in the buffers."""
    tokens, drawn = data.batch()["tokens"], []
    for place in ("pre", "post"):
        pair = getattr(e, f"{place}_first").tolist(), norms(e, place, tokens)
        blocks = range(1, len(pair[0]) + 1)
        drawn += [("plot", blocks, values) for values in pair]
    return {"gradients": drawn}
