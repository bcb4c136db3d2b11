"""The bound of masked diffusion, one masked byte of one text after another."""

import math

import torch

from practice_torch.experiments.diffusion.masked_diffusion import MASK
from tests.support.metrics import mean

TOLERANCE = 1e-5  # logits are cast to float32


def evaluate(e, data):
    texts = data.batch()["tokens"][:, :-1]
    count, length = texts.shape
    shift = torch.rand((), generator=e.generator).item()
    draws = torch.rand(count, length, generator=e.generator)
    bits = []
    for row, text in enumerate(texts):
        masks = 1 + math.floor((shift + row / count) % 1 * length)
        hidden = draws[row].sort(descending=True).indices[:masks].tolist()
        seen = text.clone()
        seen[hidden] = MASK
        logits = e.network(seen[None])[0]
        for place in hidden:
            law = torch.distributions.Categorical(logits=logits[place, :MASK])
            bits.append(-law.log_prob(text[place]).item() / math.log(2) / masks / count)
    return {"bits_per_byte": mean(bits) * len(bits)}
