"""Attention: a softmax average of values, why its scores are scaled, what its masks mean, and what flows back through it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values, widened
from theory_jax.autoregressive.normalization import layer_norm


def attention_weights(query, key, mask, *, scale=None):
    r"""softmax_j(s q_i . k_j) over the keys that the mask leaves, s = D^(-1/2) unless it is given.

    mask: True where query i may attend to key j, broadcast to [B, H, Tq, Tk]; None for everywhere.

    Raises ValueError if the shapes do not fit, also that of mask, or if it leaves a query without keys.
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
            (x, query_weight, heads),
            (context, key_weight, key_value_heads),
            (context, value_weight, key_value_heads),
        )
    )
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
    """multi_head_attention with its own parameters; is_causal: a query sees the keys up to its own time."""

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
            for tokens, places, given in ((self.source, self.source_position, source), (self.answer, self.answer_position, begun))
        )
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
