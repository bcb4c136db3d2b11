"""Online softmax: attention block by block, in memory that grows with the sequence and not with its square.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_shape
from theory_jax.autoregressive.attention import causal_mask, scaled_dot_product_attention
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


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


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Online softmax: exact attention without the matrix of weights",
    lectures=(43,),
    sources=(
        "Milakov & Gimelshein 2018, Online Normalizer Calculation for Softmax",
        "Rabe & Staats 2021, Self-attention Does Not Need O(n^2) Memory",
        "Dao et al. 2022, FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
    ),
)


def _query_key_value(queries=5, keys=7):
    return draw(2, 2, queries, 4, scale=2.0), draw(2, 2, keys, 4, seed=1, scale=2.0), draw(2, 2, keys, 3, seed=2)


def _scores_values():
    return draw(2, 3, 8, scale=3.0), draw(2, 8, 4, seed=1)


def _states(scores, values, block_size):
    """The state after each block."""
    state = jnp.full(scores.shape[:2], -jnp.inf), jnp.zeros(scores.shape[:2]), jnp.zeros((*scores.shape[:2], values.shape[-1]))
    for first in range(0, scores.shape[-1], block_size):
        block = slice(first, first + block_size)
        state = online_softmax_update(*state, scores[..., block], values[:, block])
        yield min(first + block_size, scores.shape[-1]), state


def _flat(parts):
    return jnp.concatenate([jnp.ravel(part) for part in jax.tree.leaves(parts)])


@derivation.numeric(
    r"\mathrm{softmax}(s + c) = \mathrm{softmax}(s), \qquad \log \textstyle\sum_j e^{s_j + c} = c + \log \sum_j e^{s_j}",
    because="e^c leaves numerator and denominator together. So any reference may be subtracted before the exponential, and with "
    "the maximum nothing overflows: scores of 1000 have weights like any others. What this leaves to be solved is that the "
    "maximum of a row is known only once the whole row has been seen.",
)
def softmax_forgets_a_shift():
    scores, values = _scores_values()

    def run(scores):
        *_, (_, (_, normalizer, accumulator)) = _states(scores, values, 3)
        return accumulator / normalizer[..., None], streaming_logsumexp(scores[0], block_size=3)

    plain = jnp.exp(scores)
    average, log_sum = run(scores + 1000.0)
    by_definition = jnp.einsum("bqk,bkd->bqd", plain / jnp.sum(plain, axis=-1, keepdims=True), values)
    return _flat([average, log_sum - 1000.0]), _flat([by_definition, jnp.log(jnp.sum(plain[0], axis=-1))])


@derivation.numeric(
    r"m = \max_{j \le n} s_j, \quad l = \textstyle\sum_{j \le n} e^{s_j - m}, \quad o = \textstyle\sum_{j \le n} e^{s_j - m} v_j"
    r" \quad\text{after every block}",
    because="By induction. Before the first block the sums are empty, and the maximum of nothing is minus infinity. Taking in a "
    "block moves the reference from m to m', which multiplies every old term by the same e^(m - m') <= 1, and adds the new terms "
    "under the new reference. Old sums are corrected, never computed again.",
)
def the_state_is_that_of_the_prefix():
    scores, values = _scores_values()
    left, right = [], []
    for block_size in (1, 3):
        for seen, state in _states(scores, values, block_size):
            s = scores[..., :seen]
            m = jnp.max(s, axis=-1)
            terms = jnp.exp(s - m[..., None])
            left.append(state)
            right.append((m, jnp.sum(terms, axis=-1), terms @ values[:, :seen]))
    return _flat(left), _flat(right)


@derivation.numeric(
    r"o / l = \mathrm{Att}(q, K, V), \qquad m + \ln l = \log \textstyle\sum_j e^{s_j}",
    because="After the last block the prefix is the whole row, and the reference leaves the quotient and the logarithm. "
    "Nothing was approximated: whatever the block size, in whatever order the blocks come.",
)
def the_end_is_exact_attention():
    query, key, value = _query_key_value()
    scores = jnp.einsum("bhqd,bhkd->bhqk", query, key) / 2.0
    left, right = [], []
    for causal in (False, True):
        mask = causal_mask(query_length=5, key_length=7) if causal else jnp.ones((5, 7), dtype=bool)
        for block_size in (1, 3, 9):
            left.append(blockwise_attention(query, key, value, block_size=block_size, causal=causal))
            log_sum = jax.nn.logsumexp(jnp.where(mask, scores, -jnp.inf), axis=-1)
            right.append((scaled_dot_product_attention(query, key, value, mask), log_sum))
    backwards = blockwise_attention(query, key[:, :, ::-1], value[:, :, ::-1], block_size=3, causal=False)
    return _flat([*left, backwards]), _flat([*right, right[0]])


@derivation.numeric(
    r"(a \oplus b) \oplus c = a \oplus (b \oplus c), \qquad a \oplus b = b \oplus a, \qquad a \oplus (0, -\infty) = a",
    because="(O, L) stands for the sums e^L O and e^L, and sums of numbers have these laws. So keys may be split among blocks, "
    "among devices or among machines, in any way and merged in any tree: each part sends its output and one number per query.",
)
def partial_results_form_a_monoid():
    query, key, value = _query_key_value()

    def part(*keys):
        rows = slice(*keys)
        return blockwise_attention(query, key[:, :, rows], value[:, :, rows], block_size=2, causal=False)

    def merge(a, b):
        return merge_partial_attention(*a, *b)

    a, b, c, whole = part(0, 1), part(1, 3), part(3, 7), part(0, 7)
    nothing = jnp.zeros_like(a[0]), jnp.full_like(a[1], -jnp.inf)
    merged = [merge(merge(a, b), c), merge(a, merge(b, c)), merge(merge(c, a), b), merge(merge(merge(nothing, a), b), c)]
    neutral = [merge(a, nothing), merge(nothing, a)]
    return _flat([merged, neutral]), _flat([whole] * 4 + [a] * 2)


@derivation.autodiff(
    r"\frac{\partial L}{\partial s_j} = P_j = e^{s_j - L}",
    because="The derivative of a logarithm of a sum is the term's share of the sum. The one number L per query, kept from the "
    "forward pass, is thus enough to have any weight back from its score, without maximum, sum or division.",
)
def the_gradient_of_the_log_normalizer_is_the_weight():
    scores = draw(4, 7, scale=3.0)
    gradient = jax.grad(lambda s: jnp.sum(streaming_logsumexp(s, block_size=3)))(scores)
    weights = jnp.exp(scores - streaming_logsumexp(scores, block_size=2)[:, None])
    shares = jnp.sum(weights, axis=-1)
    return jnp.append(gradient.ravel(), jnp.ones(4)), jnp.append(weights.ravel(), shares)


@derivation.numeric(
    r"D_i = \textstyle\sum_v dO_{iv} O_{iv} = \textstyle\sum_j P_{ij}\, dP_{ij}",
    because="Put O = P V into the left side and exchange the sums: dP = dO V^T is what remains. The softmax's backward pass "
    "needs this number for every row before it can begin with the first block; the left side gives it from two vectors, the "
    "right side only from all keys.",
)
def the_row_sum_comes_from_the_output():
    query, key, value = _query_key_value()
    output, log_normalizer = blockwise_attention(query, key, value, block_size=3, causal=False)
    upstream = draw(*output.shape, seed=5)
    p = jnp.exp(jnp.einsum("bhqd,bhkd->bhqk", query, key) / 2.0 - log_normalizer[..., None])
    dp = jnp.einsum("bhqv,bhkv->bhqk", upstream, value)
    return jnp.sum(upstream * output, axis=-1), jnp.sum(p * dp, axis=-1)


@derivation.autodiff(
    r"dS = P \odot (dP - D), \qquad dQ = s\, dS\, K, \quad dK = s\, dS^\top Q, \quad dV = P^\top dO",
    because="These are attention's gradients; (q, k, v, O, L) give everything in them, and each block of P can be computed "
    "when it is needed and thrown away. A second computation of the scores is the price of memory that grows with T, not T^2.",
)
def the_backward_pass_needs_no_stored_weights():
    query, key, value = _query_key_value()
    upstream = draw(2, 2, 5, 3, seed=5)
    left, right = [], []
    for causal in (False, True):
        mask = causal_mask(query_length=5, key_length=7) if causal else None
        _, pull_back = jax.vjp(lambda *given, mask=mask: scaled_dot_product_attention(*given, mask), query, key, value)
        known = blockwise_attention(query, key, value, block_size=3, causal=causal)
        left.append(pull_back(upstream))
        right.append(attention_backward(query, key, value, *known, upstream, causal=causal))
    return _flat(left), _flat(right)


@derivation.exact(
    r"\#\{\text{blocks computed}\} = \tfrac{1}{2} n (n + 1) \text{ of } n^2 \quad\text{under the causal mask}",
    because="Block row i sees the block columns 1..i; the blocks above the diagonal hold nothing but minus infinity, and the "
    "update would leave the state as it is. Not computing them halves the work. Counted are the pairs of matrix products in the "
    "program that JAX makes of blockwise_attention.",
)
def causal_blocks_are_half_of_all():
    def computed(n, causal):
        like = jax.ShapeDtypeStruct((1, 1, 2 * n, 4), float)
        program = jax.make_jaxpr(functools.partial(blockwise_attention, block_size=2, causal=causal))(like, like, like)
        return str(program).count("dot_general[") / 2

    sizes = np.arange(1, 7)
    counted = np.array([[computed(n, causal) for n in sizes] for causal in (True, False)])
    return counted, np.stack([sizes * (sizes + 1) / 2, sizes**2])


if __name__ == "__main__":
    derivation.main()
