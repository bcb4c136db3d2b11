"""Wrong caches that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.autoregressive import kv_cache as right
from practice_torch.autoregressive.attention import scaled_dot_product_attention
from practice_torch.autoregressive.transformer import decoder_logits
from tests.support.mistakes import Mistake


def _written(cache, new, position):
    return torch.cat([cache[:, :, :position], new, cache[:, :, position + new.shape[2] :]], dim=2)


def _append(cache_key, cache_value, key, value, *, position, shift=0, clamp=False, keys=True, roll=False):
    if clamp:
        position = min(position, cache_key.shape[2] - key.shape[2])
    if roll:
        return tuple(torch.cat([c, n], dim=2)[:, :, n.shape[2] :] for c, n in ((cache_key, key), (cache_value, value)))
    return _written(cache_key, key if keys else value, position + shift), _written(cache_value, value, position + shift)


def _attention(query, cache_key, cache_value, *, position, strict=False, start=None, everything=False, scale=None):
    rows, steps = cache_key.shape[2], query.shape[2]
    last = (position if start is None else start) + torch.arange(steps)[:, None]
    visible = torch.arange(rows) < last if strict else torch.arange(rows) <= last
    if strict or everything:
        visible = visible | (torch.arange(rows) == 0) if strict else torch.ones(steps, rows, dtype=torch.bool)
    return scaled_dot_product_attention(query, cache_key, cache_value, visible, scale=scale)


def _step(
    tokens,
    cache_keys,
    cache_values,
    parameters,
    *,
    heads,
    position,
    epsilon=1e-5,
    place=None,
    head=True,
    layers=None,
    order=(0, 1),
):
    """The right step with another position of the tokens, without a separate head, or with the caches of other layers."""
    p = dict(parameters)
    if place is not None:
        places = p["position_embedding"]
        p["position_embedding"] = torch.cat([places[:position], places[place:]])
    if not head:
        p.pop("output_weight", None)
    if layers is not None and len(p["blocks"]) > 1:
        cache_keys, cache_values = cache_keys[layers], cache_values[layers]
    logits, caches = right.cached_decoder_step(
        tokens, cache_keys, cache_values, p, heads=heads, position=position, epsilon=epsilon
    )
    return logits, tuple(caches[i] for i in order)


def _no_past(tokens, cache_keys, cache_values, parameters, *, heads, position, epsilon=1e-5):
    caches = right.cached_decoder_step(
        tokens, cache_keys, cache_values, parameters, heads=heads, position=position, epsilon=epsilon
    )[1]
    return decoder_logits(tokens, parameters, heads=heads, epsilon=epsilon), caches


def _stale(tokens, cache_keys, cache_values, parameters, **named):
    return right.cached_decoder_step(tokens, cache_keys, cache_values, parameters, **named)[0], (cache_keys, cache_values)


def _bytes(*, batch, layers, key_value_heads, head_width, length, element_bytes, both=2):
    return both * batch * layers * key_value_heads * head_width * length * element_bytes


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _scattered(cache_key, cache_value, key, value, *, position):
    right.append_cache(cache_key, cache_value, key, value, position=position)  # for its checks
    rows = position + torch.arange(key.shape[2])
    return cache_key.index_copy(2, rows, key), cache_value.index_copy(2, rows, value)


def _query_by_query(query, cache_key, cache_value, *, position):
    right.cached_attention(query, cache_key, cache_value, position=position)  # for its checks
    return torch.cat(
        [
            scaled_dot_product_attention(query[:, :, s : s + 1], cache_key[:, :, :end], cache_value[:, :, :end], None)
            for s, end in enumerate(range(position + 1, position + 1 + query.shape[2]))
        ],
        dim=2,
    )


MISTAKES = (
    Mistake(
        "append_cache",
        "one row late",
        lambda cache_key, cache_value, key, value, *, position: _append(
            cache_key, cache_value, key, value, position=min(position + 1, cache_key.shape[2] - key.shape[2])
        ),
    ),
    Mistake("append_cache", "values for keys", _wrong(_append, keys=False)),
    Mistake("append_cache", "a sliding window", _wrong(_append, roll=True)),
    Mistake("append_cache", "clamped writes", _wrong(_append, clamp=True), only_checks=True),
    Mistake("cached_attention", "the new row is not seen", _wrong(_attention, strict=True)),
    Mistake("cached_attention", "rows that no token has reached are seen", _wrong(_attention, everything=True)),
    Mistake("cached_attention", "a mask that begins at row 0", _wrong(_attention, start=0)),
    Mistake("cached_attention", "no scale", _wrong(_attention, scale=1.0)),
    Mistake("cached_attention", "garbage times zero: a weight of 0 does not remove NaN", _attention),
    Mistake("cached_decoder_step", "positions restart at 0", _wrong(_step, place=0)),
    Mistake(
        "cached_decoder_step",
        "positions from 1",
        lambda *given, position, **named: _step(*given, position=position, place=position + 1, **named),
    ),
    Mistake("cached_decoder_step", "its own head ignored", _wrong(_step, head=False)),
    Mistake("cached_decoder_step", "the caches of another layer", _wrong(_step, layers=[1, 0])),
    Mistake("cached_decoder_step", "caches returned in the other order", _wrong(_step, order=(1, 0))),
    Mistake("cached_decoder_step", "the past is not looked at", _no_past),
    Mistake("cached_decoder_step", "caches as they were", _stale),
    Mistake("cache_bytes", "keys only", _wrong(_bytes, both=1)),
    Mistake("cache_bytes", "bits", lambda *, element_bytes, **sizes: _bytes(element_bytes=8 * element_bytes, **sizes)),
    Mistake("left_padded_positions", "from 1", lambda token_mask: token_mask.long().cumsum(1)),
    Mistake("left_padded_positions", "negative before the first token", lambda token_mask: token_mask.long().cumsum(1) - 1),
    Mistake(
        "left_padded_positions", "padding counted", lambda token_mask: torch.arange(token_mask.shape[1]).expand(token_mask.shape)
    ),
)

EQUIVALENT = (
    Mistake("append_cache", "scattered", _scattered),
    Mistake("cached_attention", "query by query", _query_by_query),
    Mistake(
        "left_padded_positions",
        "the number of padded places subtracted",
        lambda token_mask: (
            right.left_padded_positions(token_mask),
            (torch.arange(token_mask.shape[1]) - (1 - token_mask.long()).sum(1, keepdim=True)).clamp(min=0),
        )[1],
    ),
)
