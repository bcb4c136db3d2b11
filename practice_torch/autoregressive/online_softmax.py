"""Attention without the matrix of its weights, forward and backward, in memory that grows with the sequence.

Speed comes from torch's fused kernels, which run this algorithm in a chip's fast memory; this version is meant to be read, and
shows that linear memory needs no kernel.
"""

import torch
from torch.nn.functional import logsigmoid, pad

from practice_torch.arguments import require, require_at_least, require_rank, require_shape

BACKWARD_BLOCK = 128  # keys per block in attention_backward


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
    higher, fade, terms = _rescaled(maximum, scores)
    # In half precision only the product is: the sums are kept in what the state came in.
    mixed = (terms.to(values.dtype) @ values).to(accumulator.dtype)
    return higher, torch.addcmul(terms.sum(-1), fade, normalizer), torch.addcmul(mixed, fade[..., None], accumulator)


def blockwise_attention(query, key, value, *, block_size, causal):
    r"""Scaled dot-product attention and L = log sum_j e^(s_ij), by online_softmax_update over blocks of keys.

    causal: a query sees the keys up to its own time, both sequences ending at once; with each block of keys only the queries
    go on that see any of it. In half precision the state is float32, and so is L.

    Raises ValueError if the shapes do not fit, if block_size is less than 1, or if a causal query has no key.
    Source: Dao et al. 2022, algorithm 1; Rabe & Staats 2021.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V] -> [B, H, Q, V], [B, H, Q]
    """
    _require_attention(query, key, value, causal)
    require_at_least(1, block_size=block_size)
    heads = query.shape[:2]
    query, key, value = query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)
    dtype = torch.promote_types(query.dtype, torch.float32)
    maximum = torch.full_like(query[..., 0], -torch.inf, dtype=dtype)
    state = maximum, torch.zeros_like(maximum), torch.zeros_like(maximum)[..., None].expand(-1, -1, value.shape[-1])
    for start, first in _blocks(query, key, block_size, causal):
        keys = slice(start, start + block_size)
        scores = _scores(query[:, first:], key[:, keys], start, first, key.shape[1] - query.shape[1], causal)
        moved = online_softmax_update(*(part[:, first:] for part in state), scores.to(dtype), value[:, keys])
        state = [torch.cat((part[:, :first], new), 1) if first else new for part, new in zip(state, moved, strict=True)]
    maximum, normalizer, accumulator = state
    output = (accumulator / normalizer[..., None]).to(value.dtype)
    return output.unflatten(0, heads), (maximum + normalizer.log()).unflatten(0, heads)


def merge_partial_attention(output_a, log_normalizer_a, output_b, log_normalizer_b):
    r"""(e^(La-L) Oa + e^(Lb-L) Ob, L) with L = log(e^La + e^Lb): attention over two sets of keys from that over each.

    (0, -inf), attention over no key, is the neutral element; two of them give another one.

    Raises ValueError if the shapes differ.  Source: Rabe & Staats 2021; Dao et al. 2022, section 3.1.
    [..., D], [...], [..., D], [...] -> [..., D], [...]
    """
    shape = list(output_a.shape)
    require_shape(shape, output_b=output_b)
    require_shape(shape[:-1], log_normalizer_a=log_normalizer_a)
    require_shape(shape[:-1], log_normalizer_b=log_normalizer_b)
    nothing = (log_normalizer_a == -torch.inf) & (log_normalizer_b == -torch.inf)
    log_a, log_b = log_normalizer_a.masked_fill(nothing, 0), log_normalizer_b.masked_fill(nothing, 0)
    # By the logarithm of the sigmoid: the sigmoid's own slope, share times (1 - share), loses the digits of a small 1 - share.
    share_a, share_b = (logsigmoid(gap).exp().masked_fill(nothing, 0)[..., None] for gap in (log_a - log_b, log_b - log_a))
    return share_a * output_a + share_b * output_b, torch.logaddexp(log_a, log_b).masked_fill(nothing, -torch.inf)


def attention_backward(query, key, value, output, log_normalizer, upstream, *, causal):
    r"""Gradients of <upstream, O> for query, key and value, with P = e^(s QK^T - L) computed anew from what attention returned.

    D = rowsum(dO * O),  dS = P * (dO V^T - D),  dQ = s dS K,  dK = s dS^T Q,  dV = P^T dO,  and s = D_head^(-1/2); block of keys
    by block of keys.

    Raises ValueError if the shapes do not fit, or if a causal query has no key.  Source: Dao et al. 2022, appendix B.2.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V], [B, H, Q, V], [B, H, Q], [B, H, Q, V] -> [B, H, Q, D], [B, H, K, D], [B, H, K, V]
    """
    _require_attention(query, key, value, causal)
    like = [*query.shape[:3], value.shape[-1]]
    require_shape(like, output=output)
    require_shape(like, upstream=upstream)
    require_shape(like[:3], log_normalizer=log_normalizer)
    heads, scale = query.shape[:2], query.shape[-1] ** -0.5
    query, key, value, output, log_normalizer, upstream = (
        tensor.flatten(0, 1) for tensor in (query, key, value, output, log_normalizer, upstream)
    )
    row_sum = (upstream * output).sum(-1, keepdim=True)
    query_gradient, key_gradients, value_gradients = torch.zeros_like(query), [], []
    for start, first in _blocks(query, key, BACKWARD_BLOCK, causal):
        keys, q, do = slice(start, start + BACKWARD_BLOCK), query[:, first:], upstream[:, first:]
        scores = _scores(q, key[:, keys], start, first, key.shape[1] - query.shape[1], causal)
        p = (scores - log_normalizer[:, first:, None]).exp()
        dp = do @ value[:, keys].mT
        ds = (p * (dp - row_sum[:, first:]) * scale).to(query.dtype)
        query_gradient = query_gradient + pad(ds @ key[:, keys], (0, 0, first, 0))
        key_gradients.append(ds.mT @ q)
        value_gradients.append(p.to(do.dtype).mT @ do)
    gradients = query_gradient, torch.cat(key_gradients, 1), torch.cat(value_gradients, 1)
    return tuple(gradient.unflatten(0, heads) for gradient in gradients)


def streaming_logsumexp(x, *, block_size):
    r"""log sum_n e^(x_n) in one pass over blocks, -inf for a row of -inf alone.

    Raises ValueError if x has not two axes, or if block_size is less than 1.  Source: Milakov & Gimelshein 2018, algorithm 3.
    [B, N] -> [B]
    """
    require_rank(2, x=x)
    require_at_least(1, block_size=block_size)
    maximum, normalizer = torch.full_like(x[:, 0], -torch.inf), torch.zeros_like(x[:, 0])
    for block in x.split(block_size, 1):
        maximum, fade, terms = _rescaled(maximum, block)
        normalizer = torch.addcmul(terms.sum(-1), fade, normalizer)
    return maximum + normalizer.masked_fill(normalizer == 0, 1).log()


class BlockwiseAttention(torch.autograd.Function):
    """blockwise_attention with attention_backward as its gradient: one number per query is kept between the two.

    `BlockwiseAttention.apply(query, key, value, block_size, causal)` -> output.
    """

    @staticmethod
    def forward(ctx, query, key, value, block_size, causal):
        """The output; it and the log-normalizer are kept."""
        output, log_normalizer = blockwise_attention(query, key, value, block_size=block_size, causal=causal)
        ctx.save_for_backward(query, key, value, output, log_normalizer)
        ctx.causal = causal
        return output

    @staticmethod
    def backward(ctx, upstream):
        """Gradients for query, key and value."""
        return *attention_backward(*ctx.saved_tensors, upstream, causal=ctx.causal), None, None


def _rescaled(maximum, scores):
    """The maximum with a block more, the factor for all sums so far, and the block's own terms e^(s - m')."""
    higher = torch.maximum(maximum, scores.amax(-1))
    # While a row has seen nothing, 0 takes the place of its maximum: -inf - -inf is NaN, -inf - 0 is the intended value.
    reference = higher.masked_fill(higher == -torch.inf, 0)
    return higher, (maximum - reference).exp(), (scores - reference[..., None]).exp()


def _blocks(query, key, size, causal):
    """(first key, first query that sees any of the block) of every block of keys."""
    past = key.shape[1] - query.shape[1]
    return [(start, max(0, start - past) if causal else 0) for start in range(0, key.shape[1], size)]


def _scores(query, key, start, first, past, causal):
    """Scaled scores of the queries from `first` on and the keys from `start` on; -inf for the future."""
    scores = (query * query.shape[-1] ** -0.5) @ key.mT
    if not causal:
        return scores
    query_time = torch.arange(first, first + query.shape[1], device=query.device) + past
    return scores.masked_fill(torch.arange(start, start + key.shape[1], device=key.device) > query_time[:, None], -torch.inf)


def _require_attention(query, key, value, causal):
    require_rank(4, query=query, key=key, value=value)
    (batch, heads, queries, width), keys = query.shape, key.shape[2]
    require_shape((batch, heads, keys, width), key=key)
    require_shape((batch, heads, keys, value.shape[-1]), value=value)
    require(not causal or queries <= keys, f"query has {queries} steps; causal attention to {keys} keys allows at most as many")
