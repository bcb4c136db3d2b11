"""The bound of masked diffusion, one masked token of one text after another."""

import math

import torch

TOLERANCE = 1e-5  # logits are cast to float32


def evaluate(e, data):
    texts = data.batch()["tokens"][:, :-1]
    count, length = texts.shape
    shift = torch.rand((), generator=e.generator).item()
    draws = torch.rand(count, length, generator=e.generator)
    lengths, nats = e.tokenizer().lengths(), 0.0
    for row, text in enumerate(texts):
        masks = 1 + math.floor((shift + row / count) % 1 * length)
        hidden = draws[row].sort(descending=True).indices[:masks].tolist()
        seen = text.clone()
        seen[hidden] = e.mask
        logits = e.network(seen[None])[0]
        for place in hidden:
            law = torch.distributions.Categorical(logits=logits[place, : e.mask])
            nats -= law.log_prob(text[place]).item() / masks * length
    written = sum(lengths[token] for token in texts.flatten().tolist())
    return {"bits_per_byte": nats / written / math.log(2), "nats_per_token": nats / (count * length)}
