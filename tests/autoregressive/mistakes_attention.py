"""Wrong forms of attention that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive import attention as right
from tests.support.mistakes import Mistake


def _weights(query, key, mask, *, scale=None, power=-0.5, axis=-1, hidden=-torch.inf, polarity=False, after=False):
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** power if scale is None else scale)
    if mask is not None and not after:
        scores = scores.masked_fill(mask.bool() == polarity, hidden)
    weights = scores.softmax(axis)
    return weights * mask if mask is not None and after else weights


def _attend(query, key, value, mask, *, scale=None, **wrong):
    return _weights(query, key, mask, scale=scale, **wrong) @ value


def _heads(
    x,
    context,
    query_weight,
    key_weight,
    value_weight,
    output_weight,
    mask,
    *,
    heads,
    key_value_heads,
    split="slow",
    tile=False,
    norm="head",
):
    def project(source, weight, count):
        out = source @ weight.T
        parts = out.unflatten(-1, (count, -1)) if split == "slow" else out.unflatten(-1, (-1, count)).transpose(-1, -2)
        return parts.transpose(1, 2)

    query, key, value = (
        project(source, weight, count)
        for source, weight, count in (
            (x, query_weight, heads),
            (context, key_weight, key_value_heads),
            (context, value_weight, key_value_heads),
        )
    )
    groups = heads // key_value_heads
    key, value = (part.repeat(1, groups, 1, 1) if tile else part.repeat_interleave(groups, 1) for part in (key, value))
    scale = None if norm == "head" else x.shape[-1] ** -0.5
    mixed = right.scaled_dot_product_attention(query, key, value, mask, scale=scale).transpose(1, 2).flatten(2)
    return mixed @ output_weight.T


def _fused(query, key, value, mask, *, scale=None):
    right.scaled_dot_product_attention(query, key, value, mask, scale=scale)  # for its checks
    mask = mask if mask is None else mask.expand(*query.shape[:3], key.shape[2])  # torch's asks for two axes at least
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)


def _by_hand(*given, **named):
    right.multi_head_attention(*given, **named)  # for its checks
    return _heads(*given, **named)


def _ones(query_length, key_length):
    return torch.ones(query_length, key_length, dtype=torch.bool)


def _padding(token_mask, *, diagonal=True, key=True):
    valid = token_mask[:, None, None, :] if key else token_mask[:, None, :, None]
    length = token_mask.shape[1]
    mask = _ones(length, length).tril() & valid
    return mask | torch.eye(length, dtype=torch.bool) if diagonal else mask


MISTAKES = (
    Mistake("attention_weights", "not scaled", lambda *given, **named: _weights(*given, **named, power=0.0)),
    Mistake("attention_weights", "scaled by 1/D", lambda *given, **named: _weights(*given, **named, power=-1.0)),
    Mistake("attention_weights", "softmax over the queries", lambda *given, **named: _weights(*given, **named, axis=-2)),
    Mistake("attention_weights", "mask of the other polarity", lambda *given, **named: _weights(*given, **named, polarity=True)),
    Mistake("attention_weights", "mask after the softmax", lambda *given, **named: _weights(*given, **named, after=True)),
    Mistake("attention_weights", "score 0 for a hidden key", lambda *given, **named: _weights(*given, **named, hidden=0.0)),
    Mistake("attention_weights", "-100 for minus infinity", lambda *given, **named: _weights(*given, **named, hidden=-100.0)),
    Mistake("attention_weights", "no check of empty rows", _weights, only_checks=True),
    Mistake(
        "scaled_dot_product_attention", "mask after the softmax", lambda *given, **named: _attend(*given, **named, after=True)
    ),
    Mistake("scaled_dot_product_attention", "not scaled", lambda *given, **named: _attend(*given, **named, power=0.0)),
    Mistake(
        "scaled_dot_product_attention",
        "weights of the values' gradient cut",
        lambda query, key, value, mask, *, scale=None: _weights(query, key, mask, scale=scale).detach() @ value,
    ),
    Mistake("causal_mask", "aligned at the start", lambda *, query_length, key_length: _ones(query_length, key_length).tril()),
    Mistake(
        "causal_mask",
        "strictly before",
        lambda *, query_length, key_length: _ones(query_length, key_length).tril(key_length - query_length - 1),
    ),
    Mistake("causal_mask", "the future", lambda *, query_length, key_length: _ones(query_length, key_length).triu()),
    Mistake("causal_padding_mask", "empty rows", lambda token_mask: _padding(token_mask, diagonal=False)),
    Mistake("causal_padding_mask", "queries masked, not keys", lambda token_mask: _padding(token_mask, key=False)),
    Mistake("repeat_key_value", "tiled", lambda x, *, groups: x.repeat(1, groups, 1, 1)),
    Mistake("repeat_key_value", "repeats the batch", lambda x, *, groups: x.repeat_interleave(groups, 0)),
    Mistake("multi_head_attention", "heads split as [D, H]", lambda *given, **named: _heads(*given, **named, split="fast")),
    Mistake("multi_head_attention", "groups tiled", lambda *given, **named: _heads(*given, **named, tile=True)),
    Mistake("multi_head_attention", "scaled by the model's width", lambda *given, **named: _heads(*given, **named, norm="model")),
)

EQUIVALENT = (
    Mistake("scaled_dot_product_attention", "torch's fused kernel", _fused),
    Mistake(
        "attention_weights",
        "another constant added to each row of scores",
        lambda query, key, mask, *, scale=None: right.attention_weights(query, key - key[:, :, :1], mask, scale=scale),
    ),
    Mistake("multi_head_attention", "head by head with tensors repeated", _by_hand),
)
