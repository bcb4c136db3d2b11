"""The key-value cache: why the past need not be recomputed, the savings, and the cost in memory."""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_tokens,
    require_values,
    widened,
)
from theory_jax.autoregressive.attention import scaled_dot_product_attention
from theory_jax.autoregressive.normalization import layer_norm, pre_norm_residual
from theory_jax.autoregressive.transformer import feed_forward


def append_cache(cache_key, cache_value, key, value, *, position):
    r"""The caches with rows position .. position+S-1 replaced by those of the S new tokens; their length L stays.

    A traced position is not checked, and dynamic_update_slice silently clamps a position that is too large.

    Raises ValueError if keys and values differ in shape, the rows do not fit into the cache, or position is negative or so large
    that they reach beyond its end.
    Source: Shazeer 2019, section 2.4 (incremental decoding).
    [B, H, L, D], [B, H, L, D], [B, H, S, D], [B, H, S, D] -> [B, H, L, D], [B, H, L, D]
    """
    _require_fit(key=key, cache_key=cache_key)
    require_same_shape(key=key, value=value)
    require_same_shape(cache_key=cache_key, cache_value=cache_value)
    _require_room(position, key.shape[2], cache_key.shape[2])
    start = (0, 0, position, 0)
    return jax.lax.dynamic_update_slice(cache_key, key, start), jax.lax.dynamic_update_slice(cache_value, value, start)


def cached_attention(query, cache_key, cache_value, *, position):
    r"""Attention of the queries position .. position+S-1 to the cache: query s sees the rows up to position + s.

    What is in the rows from position + S on has no influence, be it NaN.

    Raises ValueError if the shapes do not fit or the cache has fewer than position + S rows.  Source: Vaswani et al. 2017, eq. 1.
    [B, H, S, D], [B, H, L, D], [B, H, L, D] -> [B, H, S, D]
    """
    _require_fit(cache_key=cache_key, query=query)
    require_same_shape(cache_key=cache_key, cache_value=cache_value)
    steps, length = query.shape[2], cache_key.shape[2]
    _require_room(position, steps, length)
    row = jnp.arange(length)
    written = (row < position + steps)[:, None]
    key, value = jnp.where(written, cache_key, 0.0), jnp.where(written, cache_value, 0.0)  # 0 times NaN would be NaN
    return scaled_dot_product_attention(query, key, value, row <= position + jnp.arange(steps)[:, None])


def cached_decoder_step(tokens, cache_keys, cache_values, parameters, *, heads, position, epsilon=1e-5):
    r"""decoder_logits of S tokens at position .. position+S-1, with their past in the caches; returns (logits, (keys, values)).

    Raises ValueError for cache_keys or cache_values that do not fit the tokens or the blocks, a position beyond the caches or the
    position embeddings, or a token that is not in the vocabulary.  Source: Pope et al. 2022, section 2.1 (prefill and decode).
    [B, S], [N, B, H, L, D], [N, B, H, L, D], {[...]} -> [B, S, V], [N, B, H, L, D], [N, B, H, L, D]
    """
    require_rank(2, tokens=tokens)
    require_rank(5, cache_keys=cache_keys, cache_values=cache_values)
    embedding, places, blocks = (parameters[name] for name in ("token_embedding", "position_embedding", "blocks"))
    (vocabulary, width), (batch, steps) = jnp.shape(embedding), tokens.shape
    wanted = (len(blocks), batch, heads, cache_keys.shape[3], width // heads)
    for name, cache in {"cache_keys": cache_keys, "cache_values": cache_values}.items():
        message = f"{name} has shape {list(cache.shape)}; with these tokens and blocks it must have shape {list(wanted)}"
        require(cache.shape == wanted, message)
    _require_room(position, steps, len(places), "position embeddings")
    require_tokens(vocabulary, tokens=tokens)

    x = embedding[widened(tokens)] + jax.lax.dynamic_slice_in_dim(places, position, steps)
    caches = []
    for layer, p in enumerate(blocks):

        def attend(z, p=p, layer=layer):
            query, key, value = (
                jnp.einsum("bse,hde->bhsd", z, p[name].reshape(heads, -1, width))
                for name in ("query_weight", "key_weight", "value_weight")
            )
            caches.append(append_cache(cache_keys[layer], cache_values[layer], key, value, position=position))
            mixed = cached_attention(query, *caches[-1], position=position)
            return jnp.einsum("bhsd,ehd->bse", mixed, p["output_weight"].reshape(width, heads, -1))

        def think(z, p=p):
            return feed_forward(z, p["up_weight"], p["up_bias"], p["down_weight"], p["down_bias"])

        x = pre_norm_residual(x, p["attention_norm_weight"], p["attention_norm_bias"], attend, epsilon=epsilon)
        x = pre_norm_residual(x, p["feed_forward_norm_weight"], p["feed_forward_norm_bias"], think, epsilon=epsilon)
    x = layer_norm(x, parameters["final_norm_weight"], parameters["final_norm_bias"], epsilon=epsilon)
    keys, values = (jnp.stack(part) for part in zip(*caches, strict=True))
    return x @ parameters.get("output_weight", embedding).T, (keys, values)


def cache_bytes(*, batch, layers, key_value_heads, head_width, length, element_bytes):
    r"""2 B N H_k D L b: keys and values of every layer, bytes.

    Raises ValueError unless batch, layers, key_value_heads, head_width, length and element_bytes are positive.
    Source: Pope et al. 2022, section 3.3.
    -> []
    """
    sizes = {
        "batch": batch,
        "layers": layers,
        "key_value_heads": key_value_heads,
        "head_width": head_width,
        "length": length,
        "element_bytes": element_bytes,
    }
    require_at_least(1, **sizes)
    return 2 * math.prod(sizes.values())


def left_padded_positions(token_mask):
    r"""max(m_1 + .. + m_t - 1, 0): the first real token of every row is at position 0, wherever its row begins.

    [B, T] -> [B, T]
    """
    require_rank(2, token_mask=token_mask)
    return jnp.maximum(jnp.cumsum(token_mask.astype(int), axis=1) - 1, 0)


def _require_fit(**arrays):
    """Two arrays [B, H, ., D] with the same B, H and D."""
    require_rank(4, **arrays)
    (name, array), (other, reference) = arrays.items()
    (batch, heads, _, width), given = reference.shape, array.shape
    fits = given == (batch, heads, given[2], width)
    require(fits, f"{name} has shape {list(given)}; next to {other} it must have shape [{batch}, {heads}, any, {width}]")


def _require_room(position, steps, length, rows="rows of the cache"):
    allowed = f"in 0..{length - steps}: {steps} tokens go into {length} {rows}"
    require_values("position", position, lambda p: (p >= 0) & (p + steps <= length), allowed)
