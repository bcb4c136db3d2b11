"""Models of bytes: the code length of one window after another."""

import math

import torch

from tests.support.metrics import mean

TOLERANCE = 1e-5  # logits are cast to float32


def bits(network, tokens):
    """-log2 of each byte's probability given those before it, but for the first: a list of numbers."""
    found = []
    for row in tokens:
        law = torch.distributions.Categorical(logits=network(row[None, :-1])[0])
        found += (-law.log_prob(row[1:]) / math.log(2)).tolist()
    return found


def evaluate(e, data):
    return {"bits_per_byte": mean(bits(e.network, data.batch()["tokens"]))}
