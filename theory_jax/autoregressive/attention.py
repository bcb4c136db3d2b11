"""Attention: a softmax average of values, why its scores are scaled, what its masks mean, and what flows back through it.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values, widened
from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


def attention_weights(query, key, mask, *, scale=None):
    r"""softmax_j(s q_i . k_j) over the keys that the mask leaves, s = D^(-1/2) unless it is given.

    mask: True where query i may look at key j, broadcast to [B, H, Tq, Tk]; None for everywhere.

    Raises ValueError if the shapes do not fit, also that of mask, or if it leaves a query no key to look at.
    Source: Vaswani et al. 2017, eq. 1.
    [B, H, Q, D], [B, H, K, D], [...] -> [B, H, Q, K]
    """
    _require_heads(query, key)
    scores = jnp.einsum("bhqd,bhkd->bhqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is None:
        return jax.nn.softmax(scores, axis=-1)
    _require_mask(mask, scores.shape)
    # Finite scores stand behind the mask, so that no NaN waits there for the gradient.
    kept = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    highest = jax.lax.stop_gradient(jnp.max(kept, axis=-1, keepdims=True))
    shares = jnp.where(mask, jnp.exp(jnp.where(mask, scores - highest, 0.0)), 0.0)
    return shares / jnp.sum(shares, axis=-1, keepdims=True)


def scaled_dot_product_attention(query, key, value, mask, *, scale=None):
    r"""sum_j w_ij v_j with w of attention_weights: each query's average of the values.

    Raises ValueError as attention_weights does, and if there is not one value a key.  Source: Vaswani et al. 2017, eq. 1.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V], [...] -> [B, H, Q, V]
    """
    require_rank(4, value=value)
    fits = value.shape[:3] == key.shape[:3]
    require(fits, f"value has shape {list(value.shape)}; it must begin with {list(key.shape[:3])}, a value for each key")
    return jnp.einsum("bhqk,bhkv->bhqv", attention_weights(query, key, mask, scale=scale), value)


def causal_mask(*, query_length, key_length):
    r"""True where j <= i + (Tk - Tq): a query sees the keys up to its own time; both sequences end at the same time.

    Raises ValueError unless 1 <= query_length <= key_length.  Source: Vaswani et al. 2017, section 3.2.3.
    -> [Q, K]
    """
    require(1 <= query_length <= key_length, f"query_length is {query_length}; it must be in 1..{key_length}, the key_length")
    return jnp.tri(query_length, key_length, key_length - query_length, dtype=bool)


def causal_padding_mask(token_mask):
    r"""True where j <= i and token j is valid, or j = i: padding sees itself, so that no row is empty.

    [B, T] -> [B, 1, T, T]
    """
    require_rank(2, token_mask=token_mask)
    length = token_mask.shape[1]
    past = jnp.tri(length, dtype=bool)
    return ((past & token_mask[:, None, :].astype(bool)) | jnp.eye(length, dtype=bool))[:, None]


def repeat_key_value(x, *, groups):
    r"""Every head `groups` times in a row: head h of the result is head floor(h / groups) of x.

    Raises ValueError if groups is less than 1.  Source: Ainslie et al. 2023.
    [B, H, T, D] -> [B, G, T, D]
    """
    require_rank(4, x=x)
    require_at_least(1, groups=groups)
    return jnp.repeat(x, groups, axis=1)


def multi_head_attention(x, context, query_weight, key_weight, value_weight, output_weight, mask, *, heads, key_value_heads):
    r"""concat_h(attention(x W_Q^h, c W_K^g, c W_V^g)) W_O^T with g = floor(h / (heads / key_value_heads)); no biases.

    context = x is self-attention; one key_value_head is multi-query, fewer than heads is grouped-query attention.

    Raises ValueError if the batches differ, the widths do not fit the heads, or heads is no multiple of key_value_heads.
    Source: Vaswani et al. 2017, section 3.2.2; Shazeer 2019; Ainslie et al. 2023.
    [B, T, E], [B, S, C], [N, E], [M, C], [M, C], [E, N], [...] -> [B, T, E]
    """
    require_rank(3, x=x, context=context)
    batch = x.shape[0]
    require(context.shape[0] == batch, f"context has {context.shape[0]} examples; it must have one for each of the {batch} of x")
    require(heads % key_value_heads == 0, f"heads is {heads}; it must be a multiple of key_value_heads, {key_value_heads}")
    _require_weight("query_weight", query_weight, heads, x.shape[-1])
    _require_weight("key_weight", key_weight, key_value_heads, context.shape[-1])
    _require_weight("value_weight", value_weight, key_value_heads, context.shape[-1])
    query, key, value = (
        _split(source @ weight.T, count)
        for source, weight, count in (
            (x, query_weight, heads), (context, key_weight, key_value_heads), (context, value_weight, key_value_heads)
        )
    )  # fmt: skip
    require_shape((x.shape[-1], heads * value.shape[-1]), output_weight=output_weight)
    key, value = (repeat_key_value(part, groups=heads // key_value_heads) for part in (key, value))
    out = scaled_dot_product_attention(query, key, value, mask)
    return jax.lax.collapse(jnp.swapaxes(out, 1, 2), 2) @ output_weight.T


def _split(x, heads):
    """[B, T, H D] -> [B, H, T, D]: the head is the slow part of the last axis."""
    return jnp.swapaxes(x.reshape(*x.shape[:2], heads, x.shape[2] // heads), 1, 2)


def _require_heads(query, key):
    require_rank(4, query=query, key=key)
    fits = query.shape[:2] == key.shape[:2] and query.shape[-1] == key.shape[-1]
    wanted = [*query.shape[:2], key.shape[2], query.shape[-1]]
    require(fits, f"key has shape {list(key.shape)}; with this query it must have shape {wanted}")


def _require_mask(mask, shape):
    try:
        fits = np.broadcast_shapes(jnp.shape(mask), shape) == shape
    except ValueError:
        fits = False
    require(fits, f"mask has shape {list(jnp.shape(mask))}; it must broadcast to {list(shape)}")
    require_values("mask", mask, lambda a: np.any(a, axis=-1, keepdims=True), "True for at least one key of every query")


def _require_weight(name, weight, heads, width):
    require_rank(2, **{name: weight})
    rows, columns = weight.shape
    require(rows % heads == 0, f"{name} has {rows} rows; it must have a multiple of its {heads} heads")
    require(columns == width, f"{name} has {columns} columns; it must have the width of its input, {width}")


# ---------------------------------------------------------------------------------------------------- the networks


class MultiHeadAttention(nnx.Module):
    """multi_head_attention with parameters of its own; is_causal: a query sees the keys up to its own time."""

    def __init__(self, *, width, heads, key_value_heads=None, context_width=None, rngs: nnx.Rngs):
        self.heads, self.key_value_heads = heads, key_value_heads or heads
        context_width, shared = context_width or width, width * self.key_value_heads // heads
        self.query, self.output = _linear(width, width, rngs), _linear(width, width, rngs)
        self.key, self.value = _linear(context_width, shared, rngs), _linear(context_width, shared, rngs)

    def __call__(self, x, context=None, mask=None, *, is_causal=False):
        context = x if context is None else context
        mask = causal_mask(query_length=x.shape[1], key_length=context.shape[1]) if is_causal else mask
        weights = (layer.kernel[...].T for layer in (self.query, self.key, self.value, self.output))
        return multi_head_attention(x, context, *weights, mask, heads=self.heads, key_value_heads=self.key_value_heads)


class Transducer(nnx.Module):
    """Source [B, T] and the answer so far [B, S] -> logits [B, S+1, V]: x + self-attention, + cross-attention, + perceptron."""

    def __init__(self, *, symbols, length, width, heads, rngs: nnx.Rngs):
        def table(rows):
            return nnx.Embed(rows, width, param_dtype=jnp.result_type(float), rngs=rngs)

        self.source, self.source_position = table(symbols), table(length)
        self.answer, self.answer_position = table(symbols + 1), table(length)  # the last symbol is the beginning
        self.norms = nnx.List(nnx.LayerNorm(width, param_dtype=jnp.result_type(float), rngs=rngs) for _ in range(4))
        self.self_attention = MultiHeadAttention(width=width, heads=heads, rngs=rngs)
        self.cross_attention = MultiHeadAttention(width=width, heads=heads, rngs=rngs)
        up, down = _linear(width, 4 * width, rngs, use_bias=True), _linear(4 * width, width, rngs, use_bias=True)
        self.perceptron = nnx.List([up, _gelu, down])
        self.head, self.beginning = _linear(width, symbols, rngs, use_bias=True), symbols

    def __call__(self, source, answer):
        source, begun = widened(source), jnp.insert(widened(answer), 0, self.beginning, axis=1)
        context, x = (
            tokens(given) + places.embedding[...][: given.shape[1]]
            for tokens, places, given in (
                (self.source, self.source_position, source), (self.answer, self.answer_position, begun)
            )
        )  # fmt: skip
        x += self.self_attention(self._norm(0, x), is_causal=True)
        x += self.cross_attention(self._norm(1, x), context)
        up, bend, down = self.perceptron
        x += down(bend(up(self._norm(2, x))))
        return self.head(self._norm(3, x))

    def _norm(self, number, x):
        return layer_norm(x, self.norms[number].scale[...], self.norms[number].bias[...], epsilon=1e-5)


def _linear(inputs, outputs, rngs, use_bias=False):
    return nnx.Linear(inputs, outputs, use_bias=use_bias, param_dtype=jnp.result_type(float), rngs=rngs)


def _gelu(x):
    return x * jax.scipy.stats.norm.cdf(x)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Attention: scaled scores, masked averages, and heads that add",
    lectures=(43,),
    sources=(
        "Bahdanau, Cho & Bengio 2015, Neural Machine Translation by Jointly Learning to Align and Translate",
        "Vaswani et al. 2017, Attention Is All You Need",
        "Shazeer 2019, Fast Transformer Decoding: One Write-Head is All You Need",
        "Ainslie et al. 2023, GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints",
    ),
)


def _query_key_value(queries=3, keys=5, seed=0):
    return draw(2, 2, queries, 4, seed=seed), draw(2, 2, keys, 4, seed=seed + 1), draw(2, 2, keys, 3, seed=seed + 2)


@derivation.monte_carlo(
    r"\mathrm{Var}(q \cdot k) = D",
    because="A product of independent entries with mean 0 and variance 1 has variance 1, and D of them add. Unscaled scores "
    "thus grow like the root of D; the factor D^(-1/2) undoes exactly that.",
)
def scores_have_variance_d():
    rng = np.random.default_rng(0)
    scores = jnp.einsum("nd,nd->n", *(jnp.array(rng.standard_normal((200_000, 64))) for _ in "qk"))
    return scores**2, 64.0


@derivation.bound(
    r"\lVert \mathrm{diag}(p) - p p^\top \rVert_2 \;\le\; \tfrac{1}{2}",
    because="The Jacobian of the softmax is the covariance of a one-hot draw. By Popoviciu's inequality no direction of unit "
    "length has a variance above 1/2, and two equal logits with the rest at minus infinity attain it.",
)
def softmax_cannot_pass_on_more_than_half():
    logits = draw(20, 6, scale=2.0)
    norms = jnp.linalg.norm(jax.vmap(jax.jacobian(jax.nn.softmax))(logits), ord=2, axis=(1, 2))
    tight = jnp.linalg.norm(jax.jacobian(jax.nn.softmax)(jnp.array([0.0, 0.0, -800.0])), ord=2)
    return norms, jnp.full(20, 0.5), (tight, jnp.array(0.5))


@derivation.bound(
    r"\lVert \mathrm{diag}(p) - p p^\top \rVert_2 \;\le\; 2 (1 - p_{\max})",
    because="Where one weight is nearly 1, all entries of the Jacobian are nearly 0: the largest eigenvalue is at most the "
    "trace, 1 - sum p^2 <= 1 - p_max^2 <= 2 (1 - p_max). Scores of standard deviation 8 (D = 64, unscaled) live there, and "
    "nothing is learned through them.",
)
def a_saturated_softmax_passes_nothing_on():
    logits = draw(20, 6, scale=8.0)
    norms = jnp.linalg.norm(jax.vmap(jax.jacobian(jax.nn.softmax))(logits), ord=2, axis=(1, 2))
    slack = 2 * (1 - jnp.max(jax.nn.softmax(logits), axis=-1))
    alone = jnp.linalg.norm(jax.jacobian(jax.nn.softmax)(jnp.array([0.0, -900.0])), ord=2)
    return norms, slack, (alone, jnp.array(0.0))


@derivation.bound(
    r"\min_j v_j \;\le\; \textstyle\sum_j w_{ij} v_j \;\le\; \max_j v_j",
    because="The weights are positive and sum to one, so that every output is a convex combination of the values: attention "
    "selects and mixes, but makes nothing that lies outside. A single key is copied.",
)
def outputs_are_convex_combinations():
    query, key, value = _query_key_value()
    out = scaled_dot_product_attention(query, key, value, None)
    low, high = (jnp.broadcast_to(extreme(value, axis=2, keepdims=True), out.shape) for extreme in (jnp.min, jnp.max))
    copied = scaled_dot_product_attention(query, key[:, :, :1], value[:, :, :1], None)
    return jnp.stack([low, out]), jnp.stack([out, high]), (copied, jnp.broadcast_to(value[:, :, :1], copied.shape))


@derivation.bound(
    r"\langle p, s \rangle + H(p) \;\le\; \log \textstyle\sum_j e^{s_j}, \quad\text{with equality at } p = \mathrm{softmax}(s)",
    because="<p, s> + H(p) = log-sum-exp(s) - KL(p || softmax(s)). Attention is thus the best trade of a high mean score "
    "against entropy: a soft arg max. Three hundred random competitors stay below.",
)
def weights_maximize_score_plus_entropy():
    query, key, _ = _query_key_value()
    scores = jnp.einsum("bhqd,bhkd->bhqk", query, key) / 2.0
    best = jax.nn.logsumexp(scores, axis=-1)

    def value(p):
        return jnp.sum(p * scores - jax.scipy.special.xlogy(p, p), axis=-1)

    rivals = jax.nn.softmax(draw(300, *scores.shape, seed=9), axis=-1)
    return jax.vmap(value)(rivals), jnp.broadcast_to(best, (300, *best.shape)), (value(attention_weights(query, key, None)), best)


@derivation.numeric(
    r"\mathrm{Att}(\Pi x) = \Pi\, \mathrm{Att}(x)",
    because="Every output is a sum over a set of keys, and sums know no order. Without mask and positions self-attention "
    "sees a bag of tokens: permuting them permutes the outputs, nothing more.",
)
def attention_is_permutation_equivariant():
    x, weights = draw(2, 5, 6), _weights()
    order = jnp.array([3, 0, 4, 1, 2])
    y = x[:, order]
    left = multi_head_attention(y, y, *weights, None, heads=4, key_value_heads=4)
    return left, multi_head_attention(x, x, *weights, None, heads=4, key_value_heads=4)[:, order]


def _weights(heads=4, key_value_heads=4, width=6, head_width=3):
    rows = [heads * head_width, key_value_heads * head_width, key_value_heads * head_width]
    drawn = [draw(count, width, seed=20 + i, scale=0.6) for i, count in enumerate(rows)]
    return *drawn, draw(width, heads * head_width, seed=23, scale=0.6)


@derivation.autodiff(
    r"\frac{\partial y_i}{\partial x_j} = 0 \quad\text{for } j > i \text{ under the causal mask}",
    because="The mask removes every later key from the sum of query i, and the query itself is token i. So the Jacobian over "
    "tokens is block lower triangular, which is what makes one pass score all conditionals of a sequence.",
)
def causal_attention_does_not_see_the_future():
    x, weights, mask = draw(1, 5, 6), _weights(), causal_mask(query_length=5, key_length=5)

    def attend(x):
        return multi_head_attention(x, x, *weights, mask, heads=4, key_value_heads=4)[0]

    size = jnp.max(jnp.abs(jax.jacobian(attend)(x)[:, :, 0]), axis=(1, 3))
    return jnp.where(size > 0, 1, 0), jnp.tri(5, dtype=int)


@derivation.numeric(
    r"\text{mask before the softmax} = \text{delete the keys}",
    because="A weight of e^(-inf) = 0 leaves numerator and denominator alike, as if the key had never been there. Multiplying "
    "the weights by the mask afterwards leaves the denominator as it was: the weights no longer sum to one.",
)
def masking_is_deleting():
    query, key, value = _query_key_value()
    kept = jnp.array([0, 2, 3])
    mask = jnp.isin(jnp.arange(5), kept)
    masked, deleted = (
        scaled_dot_product_attention(query, key, value, mask),
        scaled_dot_product_attention(query, key[:, :, kept], value[:, :, kept], None),
    )
    afterwards = jnp.sum(attention_weights(query, key, None) * mask, axis=-1)
    apart = jnp.all(afterwards < 0.99)  # the other way round is another thing
    return jnp.append(masked.ravel(), apart), jnp.append(deleted.ravel(), 1.0)


@derivation.autodiff(
    r"dV = P^\top dO, \quad dS = P \odot (dP - \mathrm{rowsum}(P \odot dP)), \quad dQ = s\, dS K, \quad dK = s\, dS^\top Q",
    because="The first and the last two are the product rule for matrices, dP = dO V^T among them; the middle one is the "
    "softmax's covariance applied to dP. They are what a hand-written backward pass computes.",
)
def backward_formulas():
    query, key, value = _query_key_value()
    upstream = draw(2, 2, 3, 3, seed=7)
    _, pull_back = jax.vjp(lambda q, k, v: scaled_dot_product_attention(q, k, v, None), query, key, value)
    p = attention_weights(query, key, None)
    dp = jnp.einsum("bhqv,bhkv->bhqk", upstream, value)
    ds = p * (dp - jnp.sum(p * dp, axis=-1, keepdims=True)) / 2.0
    by_hand = (ds @ key, jnp.swapaxes(ds, 2, 3) @ query, jnp.swapaxes(p, 2, 3) @ upstream)
    return tuple(jnp.concatenate([part.ravel() for part in parts]) for parts in (pull_back(upstream), by_hand))


@derivation.numeric(
    r"\mathrm{MHA}(x) = \sum_h \mathrm{head}_h(x)\, W_O^{h\top}",
    because="Concatenating the heads and multiplying by one matrix is multiplying each by its block of columns and adding: "
    "heads never see each other, they write into the residual stream side by side.",
)
def heads_add():
    x, (wq, wk, wv, wo) = draw(2, 5, 6), _weights()
    whole = multi_head_attention(x, x, wq, wk, wv, wo, None, heads=4, key_value_heads=4)
    blocks = [slice(3 * h, 3 * h + 3) for h in range(4)]
    parts = [multi_head_attention(x, x, wq[b], wk[b], wv[b], wo[:, b], None, heads=1, key_value_heads=1) for b in blocks]
    return whole, sum(parts)


@derivation.numeric(
    r"\text{grouped-query} = \text{multi-head with } W_K, W_V \text{ repeated in blocks}",
    because="Heads of one group share keys and values, which is multi-head attention whose key and value matrices hold each "
    "block once for every head of its group: h -> floor(h / g). Tiling them (h -> h mod H_k) gives another model.",
)
def grouped_query_is_repeated_multi_head():
    x, (wq, wk, wv, wo) = draw(2, 5, 6), _weights(4, 2)
    grouped = multi_head_attention(x, x, wq, wk, wv, wo, None, heads=4, key_value_heads=2)

    def expanded(order):
        wide = (jnp.concatenate([w[3 * g : 3 * g + 3] for g in order]) for w in (wk, wv))
        return multi_head_attention(x, x, wq, *wide, wo, None, heads=4, key_value_heads=4)

    tiled_differs = jnp.max(jnp.abs(expanded((0, 1, 0, 1)) - grouped)) > 0.01
    return jnp.append(grouped.ravel(), tiled_differs), jnp.append(expanded((0, 0, 1, 1)).ravel(), 1.0)


if __name__ == "__main__":
    derivation.main()
