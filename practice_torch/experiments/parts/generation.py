"""Tokens, one after the other: with a key-value cache, or from a state of constant size."""

import torch

from practice_torch.arguments import as_int64
from practice_torch.networks.wavenet import draw


@torch.inference_mode()
def generate(network, tokens, count, choose):
    """tokens [B, T] and `count` more for each row: choose(logits [B, V], tokens so far [B, t]) -> [B] picks each.

    network has a context_length, empty_cache and step, as DecoderTransformer has. Its positions are absolute, so a cache cannot
    slide: when the context is full, its later half is read again. Every token is given half a context of past or more.
    """
    tokens = as_int64(tokens)  # the tokens that follow may not fit into the width of these
    batch, known = tokens.shape
    written = torch.cat([tokens, tokens.new_empty(batch, count)], dim=1)
    cache = network.empty_cache(batch)
    start = read = 0  # the cache holds written[:, start:read]
    for end in range(known, known + count):
        if end - start > network.context_length:
            start = read = end - max(network.context_length // 2, 1)
        logits = network.step(written[:, read:end], cache, read - start)
        read = end
        written[:, end] = choose(logits, written[:, :end])
    return written


@torch.no_grad()
def generate_from_state(network, first, uniforms, *, kinds, condition=None):
    """Tokens [B, T] below `kinds` that follow the first [B], by inverse CDF of the uniforms [B, T]; each costs the same.

    network.start(batch) is the state before the first token, network.step(tokens, state) gives logits and the next state. A
    condition [B] is its third argument.
    """
    token, states, written = as_int64(first), network.start(len(uniforms)), []
    told = () if condition is None else (condition,)
    for uniform in uniforms.unbind(1):
        logits, states = network.step(token, states, *told)
        token = draw(logits[:, :kinds], uniform)
        written.append(token)
    return torch.stack(written, 1)
