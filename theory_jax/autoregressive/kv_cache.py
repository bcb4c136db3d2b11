"""The key-value cache: why the past need not be computed again, what that saves, and what it costs in memory.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import sympy

from theory_jax.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_tokens,
    require_values,
    widened,
)
from theory_jax.autoregressive.attention import causal_padding_mask, scaled_dot_product_attention
from theory_jax.autoregressive.normalization import layer_norm, pre_norm_residual
from theory_jax.autoregressive.position import apply_rotary, rotary_angles
from theory_jax.autoregressive.transformer import decoder_block, decoder_logits, feed_forward, forward_operations
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


def append_cache(cache_key, cache_value, key, value, *, position):
    r"""The caches with rows position .. position+S-1 replaced by those of the S new tokens; their length L stays.

    A traced position is not checked, and dynamic_update_slice clamps one that is too large: it writes elsewhere, silently.

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
    r"""decoder_logits of S tokens at position .. position+S-1, whose past is in the caches; returns (logits, (keys, values)).

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
        "batch": batch, "layers": layers, "key_value_heads": key_value_heads, "head_width": head_width, "length": length,
        "element_bytes": element_bytes,
    }  # fmt: skip
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
    require(fits, f"{name} has shape {list(given)}; beside {other} it must have shape [{batch}, {heads}, any, {width}]")


def _require_room(position, steps, length, rows="rows of the cache"):
    allowed = f"in 0..{length - steps}: {steps} tokens go into {length} {rows}"
    require_values("position", position, lambda p: (p >= 0) & (p + steps <= length), allowed)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The key-value cache: what never changes need not be computed again",
    lectures=(48,),
    sources=("Shazeer 2019, Fast Transformer Decoding", "Pope et al. 2022, Efficiently Scaling Transformer Inference"),
)

_V, _L, _E, _F, _H, _N, _B, _T = 9, 8, 6, 7, 2, 3, 2, 5


def _block(seed):
    square = ("query_weight", "key_weight", "value_weight", "output_weight")
    vectors = ("attention_norm_weight", "attention_norm_bias", "feed_forward_norm_weight", "feed_forward_norm_bias", "down_bias")
    shapes = dict.fromkeys(square, (_E, _E)) | dict.fromkeys(vectors, (_E,))
    shapes |= {"up_weight": (_F, _E), "up_bias": (_F,), "down_weight": (_E, _F)}
    return {name: draw(*shape, seed=seed + i, scale=0.6) for i, (name, shape) in enumerate(shapes.items())}


_PARAMETERS = {
    "token_embedding": draw(_V, _E, seed=1), "position_embedding": draw(_L, _E, seed=2),
    "blocks": tuple(_block(20 * (1 + layer)) for layer in range(_N)),
    "final_norm_weight": draw(_E, seed=3), "final_norm_bias": draw(_E, seed=4),
}  # fmt: skip
_TOKENS = jnp.array([[3, 1, 4, 1, 5], [2, 6, 0, 8, 7]])


def _caches(fill=0.0):
    return (jnp.full((_N, _B, _H, _L, _E // _H), fill),) * 2


def _in_chunks(tokens, chunks, fill=0.0):
    """Logits and caches of one pass in chunks of the given sizes."""
    logits, caches, position = [], _caches(fill), 0
    for size in chunks:
        chunk = tokens[:, position : position + size]
        part, caches = cached_decoder_step(chunk, *caches, _PARAMETERS, heads=_H, position=position)
        logits.append(part)
        position += size
    return jnp.concatenate(logits, axis=1), caches


@derivation.numeric(
    r"K_j^{(l)}(x_{\le j}, x_{> j}) = K_j^{(l)}(x_{\le j}, x'_{> j}) \quad\text{for every layer } l",
    because="Everything but attention acts on each token by itself, and causal attention reads tokens up to j only. So the keys "
    "and values of position j, in the last layer as in the first, are settled once token j is known; no later token "
    "changes them.",
)
def the_past_is_settled():
    _, (keys, values) = _in_chunks(_TOKENS, (_T,))
    _, (others, other_values) = _in_chunks(_TOKENS.at[:, 3:].set(0), (_T,))
    return jnp.stack([others, other_values])[..., :3, :], jnp.stack([keys, values])[..., :3, :]


@derivation.numeric(
    r"\text{T steps of one token with a cache} = \text{one pass over T tokens}",
    because="The last query needs the keys and values of the past and nothing else of it. They are in the cache, so one token "
    "goes through the network where T would.",
)
def cached_steps_are_the_full_pass():
    return _in_chunks(_TOKENS, (1,) * _T)[0], decoder_logits(_TOKENS, _PARAMETERS, heads=_H)


@derivation.numeric(
    r"\text{prefill } 3 + 2 \text{ into a cache full of } 9.9 = \text{one pass}",
    because="A prompt is worth one pass of many tokens (prefill), each of which sees itself and what came before. Rows that no "
    "token has reached yet are never visible, so what stands in them is no matter.",
)
def any_chunks_will_do():
    full = decoder_logits(_TOKENS, _PARAMETERS, heads=_H)
    return jnp.stack([_in_chunks(_TOKENS, (3, 2), fill=9.9)[0], _in_chunks(_TOKENS, (2, 1, 2))[0]]), jnp.stack([full, full])


@derivation.symbolic(
    r"\sum_{i=1}^{T} \big( 24 E^2 + 4 i E \big) = 24 T E^2 + 2 T (T + 1) E",
    because="A layer with a feed-forward width of 4E costs 24 E^2 operations for one token in its matrices, and 4 i E in its "
    "scores and average over i keys.",
)
def operations_with_a_cache():
    i, t, e = sympy.symbols("i T E", positive=True, integer=True)
    return sympy.summation(24 * e**2 + 4 * i * e, (i, 1, t)), 24 * t * e**2 + 2 * t * (t + 1) * e


def _without_head(length):
    """Operations of one layer of width 128 over `length` tokens."""
    sizes = dict(vocabulary_size=1, length=length, width=128, layers=1, feed_forward_width=512)
    return forward_operations(**sizes) - 2 * 128 * length


@derivation.bound(
    r"\sum_{t=1}^{64} C(t) \;\ge\; 30 \sum_{t=1}^{64} (24 E^2 + 4 t E) \quad\text{at } E = 128",
    because="Without a cache, token t costs a pass over t tokens: the sum grows with the square of the length where the "
    "matrices dominate, with its cube where attention does. For one token both are the same.",
)
def recomputation_costs_half_the_length():
    step = [24 * 128**2 + 4 * t * 128 for t in range(1, 65)]
    full = [_without_head(t) for t in range(1, 65)]
    return jnp.array(30.0 * sum(step)), jnp.array(float(sum(full))), (jnp.array(float(step[0])), jnp.array(float(full[0])))


@derivation.exact(
    r"2 N H D L\, b = 37\,748\,736 \text{ bytes}, \qquad H_k = 3: \text{a quarter}",
    because="GPT-2 small, 1024 tokens, 16 bits: 12 layers of 12 heads of 64. The cache is read once for every token, which is "
    "what bounds the speed of decoding; heads that share keys and values (grouped queries) divide it.",
)
def memory():
    small = dict(batch=1, layers=12, head_width=64, length=1024, element_bytes=2)
    return (
        jnp.array([cache_bytes(key_value_heads=heads, **small) for heads in (12, 3)]),
        jnp.array([37_748_736, 37_748_736 // 4]),
    )


@derivation.numeric(
    r"(R_{i + c}\, q)^\top (R_{j + c}\, k) = (R_i\, q)^\top (R_j\, k)",
    because="A key may be cached already rotated by its position: scores know the distance alone, so an offset common to all "
    "positions changes nothing, and no key is ever rotated again.",
)
def rotated_keys_can_be_kept():
    query, key, value = (draw(2, 2, _T, 4, seed=seed) for seed in (70, 71, 72))

    def attend(offset):
        angles = rotary_angles(jnp.arange(_T) + offset, head_width=4)
        rotated = [apply_rotary(x, angles, layout="half") for x in (query, key)]
        return jnp.concatenate(
            [cached_attention(rotated[0][:, :, t : t + 1], rotated[1], value, position=t) for t in range(_T)], axis=2
        )

    return attend(1000), attend(0)


@derivation.numeric(
    r"p_t = \max\Big( \sum_{s \le t} m_s - 1,\; 0 \Big): \quad \text{padded on the left} = \text{unpadded}",
    because="Prompts of unequal length are padded on the left, so that all end together. With positions counted from the first "
    "real token, and padding hidden as a key, the logits of the real tokens are those of the row alone.",
)
def padding_on_the_left_changes_nothing():
    mask = jnp.array([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    x = _PARAMETERS["token_embedding"][_TOKENS] + _PARAMETERS["position_embedding"][left_padded_positions(mask)]
    for block in _PARAMETERS["blocks"]:
        x = decoder_block(x, block, causal_padding_mask(mask), heads=_H, epsilon=1e-5, norm_position="pre")
    x = layer_norm(x, _PARAMETERS["final_norm_weight"], _PARAMETERS["final_norm_bias"], epsilon=1e-5)
    padded = (x @ _PARAMETERS["token_embedding"].T)[0, 2:]
    return padded, decoder_logits(_TOKENS[:1, 2:], _PARAMETERS, heads=_H)[0]


if __name__ == "__main__":
    derivation.main()
