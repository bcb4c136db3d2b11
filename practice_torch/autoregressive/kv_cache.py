"""Decoding one token for the price of one: keys and values of the past are kept, not computed again.

The functions return new caches. For speed, `DecoderTransformer.step` (networks/) updates a cache in place.
"""

import torch
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_same_shape, require_tokens
from practice_torch.autoregressive.attention import causal_mask, scaled_dot_product_attention
from practice_torch.autoregressive.normalization import layer_norm
from practice_torch.autoregressive.transformer import feed_forward


def append_cache(cache_key, cache_value, key, value, *, position):
    r"""The caches with rows position .. position+S-1 replaced by those of the S new tokens; their length L stays.

    Raises ValueError if keys and values differ in shape, the rows do not fit into the cache, or position is negative or so large
    that they reach beyond its end.
    Source: Shazeer 2019, section 2.4 (incremental decoding).
    [B, H, L, D], [B, H, L, D], [B, H, S, D], [B, H, S, D] -> [B, H, L, D], [B, H, L, D]
    """
    _require_fit(key=key, cache_key=cache_key)
    require_same_shape(key=key, value=value)
    require_same_shape(cache_key=cache_key, cache_value=cache_value)
    steps = key.shape[2]
    _require_room(position, steps, cache_key.shape[2])
    return tuple(
        torch.cat([cache[:, :, :position], new, cache[:, :, position + steps :]], dim=2)
        for cache, new in ((cache_key, key), (cache_value, value))
    )


def cached_attention(query, cache_key, cache_value, *, position):
    r"""Attention of the queries position .. position+S-1 to the cache: query s sees the rows up to position + s.

    What is in the rows from position + S on has no influence, be it NaN.

    Raises ValueError if the shapes do not fit or the cache has fewer than position + S rows.  Source: Vaswani et al. 2017, eq. 1.
    [B, H, S, D], [B, H, L, D], [B, H, L, D] -> [B, H, S, D]
    """
    _require_fit(cache_key=cache_key, query=query)
    require_same_shape(cache_key=cache_key, cache_value=cache_value)
    steps = query.shape[2]
    _require_room(position, steps, cache_key.shape[2])
    end = position + steps
    visible = causal_mask(query_length=steps, key_length=end).to(query.device)
    return scaled_dot_product_attention(query, cache_key[:, :, :end], cache_value[:, :, :end], visible)


def cached_decoder_step(tokens, cache_keys, cache_values, parameters, *, heads, position, epsilon=1e-5):
    r"""decoder_logits of S tokens at position .. position+S-1, with their past in the caches; returns (logits, (keys, values)).

    Raises ValueError for cache_keys or cache_values that do not fit the tokens or the blocks, a position beyond the caches or the
    position embeddings, or a token that is not in the vocabulary.  Source: Pope et al. 2022, section 2.1 (prefill and decode).
    [B, S], [N, B, H, L, D], [N, B, H, L, D], {[...]} -> [B, S, V], [N, B, H, L, D], [N, B, H, L, D]
    """
    require_rank(2, tokens=tokens)
    require_rank(5, cache_keys=cache_keys, cache_values=cache_values)
    embedding, blocks, places = parameters["token_embedding"], parameters["blocks"], parameters["position_embedding"]
    batch, steps = tokens.shape
    wanted = [len(blocks), batch, heads, cache_keys.shape[3], embedding.shape[1] // heads]
    for name, cache in (("cache_keys", cache_keys), ("cache_values", cache_values)):
        given = list(cache.shape)
        require(given == wanted, f"{name} has shape {given}; with these tokens and blocks it must have shape {wanted}")
    _require_room(position, steps, len(places), "position embeddings")
    require_tokens(len(embedding), tokens=tokens)

    def by_heads(x):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    x, keys, values = functional.embedding(as_int64(tokens), embedding) + places[position : position + steps], [], []
    for cache_key, cache_value, p in zip(cache_keys, cache_values, blocks, strict=True):
        z = layer_norm(x, p["attention_norm_weight"], p["attention_norm_bias"], epsilon=epsilon)
        query, key, value = (by_heads(functional.linear(z, p[f"{name}_weight"])) for name in ("query", "key", "value"))
        key, value = append_cache(cache_key, cache_value, key, value, position=position)
        mixed = cached_attention(query, key, value, position=position)
        x = x + functional.linear(mixed.transpose(1, 2).flatten(2), p["output_weight"])
        z = layer_norm(x, p["feed_forward_norm_weight"], p["feed_forward_norm_bias"], epsilon=epsilon)
        x = x + feed_forward(z, p["up_weight"], p["up_bias"], p["down_weight"], p["down_bias"])
        keys.append(key)
        values.append(value)
    x = layer_norm(x, parameters["final_norm_weight"], parameters["final_norm_bias"], epsilon=epsilon)
    logits = functional.linear(x, parameters.get("output_weight", embedding))
    return logits, (torch.stack(keys), torch.stack(values))


def cache_bytes(*, batch, layers, key_value_heads, head_width, length, element_bytes):
    r"""2 B N H_k D L b: keys and values of every layer, bytes.

    Raises ValueError unless batch, layers, key_value_heads, head_width, length and element_bytes are positive.
    Source: Pope et al. 2022, section 3.3.
    -> []
    """
    require_at_least(1, batch=batch, layers=layers, key_value_heads=key_value_heads, head_width=head_width)
    require_at_least(1, length=length, element_bytes=element_bytes)
    return 2 * batch * layers * key_value_heads * head_width * length * element_bytes


def left_padded_positions(token_mask):
    r"""max(m_1 + .. + m_t - 1, 0): the first real token of every row is at position 0, wherever its row begins.

    [B, T] -> [B, T]
    """
    require_rank(2, token_mask=token_mask)
    return (token_mask.long().cumsum(1) - 1).clamp(min=0)


def _require_fit(**arrays):
    """Both tensors have four axes, of equal lengths but for the third, that of time."""
    require_rank(4, **arrays)
    (name, array), (other, reference) = arrays.items()
    fits = array.shape[:2] == reference.shape[:2] and array.shape[3] == reference.shape[3]
    allowed = f"that of {other}, {list(reference.shape)}, but for its third axis"
    require(fits, f"{name} has shape {list(array.shape)}; it must have {allowed}")


def _require_room(position, steps, length, rows="rows of the cache"):
    fits = 0 <= position <= length - steps
    require(fits, f"position is {position}; it must be in 0..{length - steps}: {steps} tokens go into {length} {rows}")
