"""Online softmax: attention block by block, in memory that grows with the sequence and not with its square."""

import functools

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_shape
from theory_jax.autoregressive.attention import causal_mask


def online_softmax_update(maximum, normalizer, accumulator, scores, values):
    r"""m' = max(m, max_k s),  l' = e^(m-m') l + sum_k e^(s-m'),  o' = e^(m-m') o + sum_k e^(s-m') v: one more block of keys.

    The start is (-inf, 0, 0); a block of scores -inf leaves the state as it is. At the end o/l is the average of the values.

    Raises ValueError if the shapes do not fit.  Source: Milakov & Gimelshein 2018, algorithm 3; Dao et al. 2022, algorithm 1.
    [B, Q], [B, Q], [B, Q, D], [B, Q, K], [B, K, D] -> [B, Q], [B, Q], [B, Q, D]
    """
    require_rank(2, maximum=maximum)
    require_rank(3, scores=scores, values=values)
    (batch, queries), (keys, width) = maximum.shape, values.shape[1:]
    require_shape((batch, queries), normalizer=normalizer)
    require_shape((batch, queries, keys), scores=scores)
    require_shape((batch, keys, width), values=values)
    require_shape((batch, queries, width), accumulator=accumulator)
    higher, fade, terms = _advance(maximum, scores)
    mixed = jnp.einsum("bqk,bkd->bqd", terms, values)
    return higher, fade * normalizer + jnp.sum(terms, axis=-1), fade[..., None] * accumulator + mixed


def blockwise_attention(query, key, value, *, block_size, causal):
    r"""Scaled dot-product attention and L = log sum_j e^(s_ij), by online_softmax_update over blocks of queries and keys.

    causal: a query sees the keys up to its own time, both sequences ending at once; blocks of the future are not computed.

    Raises ValueError if the shapes do not fit, if block_size is less than 1, or if a causal query has no key.
    Source: Dao et al. 2022, algorithm 1; Rabe & Staats 2021.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V] -> [B, H, Q, V], [B, H, Q]
    """
    _require_attention(query, key, value, causal)
    require_at_least(1, block_size=block_size)
    batch, heads, queries, _ = query.shape
    query, key, value = (jax.lax.collapse(x, 0, 2) for x in (query, key, value))
    past = key.shape[1] - queries
    rows = []
    for start in range(0, queries, block_size):
        q = query[:, start : start + block_size]
        time = past + start + jnp.arange(q.shape[1])  # of each query, in keys
        seen = min(key.shape[1], past + start + q.shape[1]) if causal else key.shape[1]

        def advance(state, first, q=q, time=time):
            k, v = (x[:, first : first + block_size] for x in (key, value))
            scores = jnp.einsum("bqd,bkd->bqk", q, k) * q.shape[-1] ** -0.5
            if causal:
                scores = jnp.where(first + jnp.arange(k.shape[1]) <= time[:, None], scores, -jnp.inf)
            return online_softmax_update(*state, scores, v)

        nothing = jnp.zeros_like(q[..., 0])
        start_state = nothing - jnp.inf, nothing, jnp.zeros((*nothing.shape, value.shape[-1]), value.dtype)
        rows.append(functools.reduce(advance, range(0, seen, block_size), start_state))
    maximum, normalizer, accumulator = (jnp.concatenate(parts, axis=1) for parts in zip(*rows, strict=True))
    output, log_normalizer = accumulator / normalizer[..., None], maximum + jnp.log(normalizer)
    apart = batch, heads, queries
    return output.reshape(*apart, value.shape[-1]), log_normalizer.reshape(apart)


def merge_partial_attention(output_a, log_normalizer_a, output_b, log_normalizer_b):
    r"""(e^(La-L) Oa + e^(Lb-L) Ob, L) with L = log(e^La + e^Lb): attention over two sets of keys from that over each.

    (0, -inf), attention over no key, is the neutral element; two of them give another one.

    Raises ValueError if the shapes differ.  Source: Rabe & Staats 2021; Dao et al. 2022, section 3.1.
    [..., D], [...], [..., D], [...] -> [..., D], [...]
    """
    require_shape(jnp.shape(output_a), output_b=output_b)
    require_shape(jnp.shape(output_a)[:-1], log_normalizer_a=log_normalizer_a)
    require_shape(jnp.shape(output_a)[:-1], log_normalizer_b=log_normalizer_b)
    nothing = jnp.isneginf(log_normalizer_a) & jnp.isneginf(log_normalizer_b)
    gap = jnp.where(nothing, 0.0, log_normalizer_a - log_normalizer_b)
    # 1/(1 + e^-x) as e^(-softplus(-x)): the slope is then share times other share, and not share times a rounded (1 - share).
    share_a, share_b = (jnp.where(nothing, 0.0, jnp.exp(-jax.nn.softplus(-g)))[..., None] for g in (gap, -gap))
    log_a, log_b = (jnp.where(nothing, 0.0, log_normalizer) for log_normalizer in (log_normalizer_a, log_normalizer_b))
    return share_a * output_a + share_b * output_b, jnp.where(nothing, -jnp.inf, jnp.logaddexp(log_a, log_b))


def attention_backward(query, key, value, output, log_normalizer, upstream, *, causal):
    r"""Gradients of <upstream, O> for query, key and value, with P = e^(s QK^T - L) computed anew from what attention returned.

    D = rowsum(dO * O),  dS = P * (dO V^T - D),  dQ = s dS K,  dK = s dS^T Q,  dV = P^T dO,  and s = D_head^(-1/2).

    Raises ValueError if the shapes do not fit, or if a causal query has no key.  Source: Dao et al. 2022, appendix B.2.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V], [B, H, Q, V], [B, H, Q], [B, H, Q, V] -> [B, H, Q, D], [B, H, K, D], [B, H, K, V]
    """
    _require_attention(query, key, value, causal)
    for name, array in {"output": output, "upstream": upstream}.items():
        require_shape((*query.shape[:3], value.shape[-1]), **{name: array})
    require_shape(query.shape[:3], log_normalizer=log_normalizer)
    scale = query.shape[-1] ** -0.5
    logs = jnp.einsum("bhqd,bhkd->bhqk", query, key) * scale - log_normalizer[..., None]
    if causal:
        mask = causal_mask(query_length=query.shape[2], key_length=key.shape[2])
        logs = jnp.where(mask, logs, -jnp.inf)
    p = jnp.exp(logs)
    dp = jnp.einsum("bhqv,bhkv->bhqk", upstream, value)
    ds = scale * p * (dp - jnp.sum(upstream * output, axis=-1, keepdims=True))
    return (
        jnp.einsum("bhqk,bhkd->bhqd", ds, key),
        jnp.einsum("bhqk,bhqd->bhkd", ds, query),
        jnp.einsum("bhqk,bhqv->bhkv", p, upstream),
    )


def streaming_logsumexp(x, *, block_size):
    r"""log sum_n e^(x_n) in one pass over blocks, -inf for a row of -inf alone.

    Raises ValueError if x has not two axes, or if block_size is less than 1.  Source: Milakov & Gimelshein 2018, algorithm 3.
    [B, N] -> [B]
    """
    require_rank(2, x=x)
    require_at_least(1, block_size=block_size)
    batch, length = x.shape
    blocks = -(-length // block_size)
    padded = jnp.pad(x, ((0, 0), (0, blocks * block_size - length)), constant_values=-jnp.inf)

    def advance(state, block):
        higher, fade, terms = _advance(state[0], block)
        return (higher, fade * state[1] + jnp.sum(terms, axis=-1)), None

    start = jnp.full(batch, -jnp.inf, x.dtype), jnp.zeros(batch, x.dtype)
    (maximum, normalizer), _ = jax.lax.scan(advance, start, jnp.swapaxes(padded.reshape(batch, blocks, block_size), 0, 1))
    return maximum + jnp.log(jnp.where(normalizer == 0, 1.0, normalizer))


def _advance(maximum, scores):
    """The maximum with a block more, the factor for all sums so far, and the block's own terms e^(s - m')."""
    higher = jnp.maximum(maximum, jnp.max(scores, axis=-1))
    # Where nothing has been seen yet, e^(-inf - (-inf)) would be NaN; any finite reference gives the zeros that are meant.
    reference = jnp.where(jnp.isneginf(higher), 0.0, higher)
    return higher, jnp.exp(maximum - reference), jnp.exp(scores - reference[..., None])


def _require_attention(query, key, value, causal):
    require_rank(4, query=query, key=key, value=value)
    (batch, heads, queries, width), keys = query.shape, key.shape[2]
    require_shape((batch, heads, keys, width), key=key)
    require_shape((batch, heads, keys, value.shape[-1]), value=value)
    require(not causal or queries <= keys, f"query has {queries} steps; causal attention to {keys} keys allows at most as many")
