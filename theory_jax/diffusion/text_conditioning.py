"""Conditioning on text (lectures 35 and 36): what a caption is worth to a denoiser, and how pixels attend to its words.

Pixels are tokens, [B, N, D] with N = H W, row after row; words are a context [B, M, E] with a mask [B, M], True where a word is
to be seen.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values
from theory_jax.autoregressive.attention import multi_head_attention


def image_to_tokens(x):
    r"""A token for each pixel, row after row: token h W + w has the channels of pixel (h, w).

    Raises ValueError if x does not have four axes.  Source: Rombach et al. 2022, appendix E.2.1.
    [B, C, H, W] -> [B, N, C]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    return jnp.moveaxis(x, 1, 3).reshape(batch, height * width, channels)


def tokens_to_image(tokens, *, height, width):
    r"""The inverse of image_to_tokens.

    Raises ValueError if tokens does not have three axes, or not height width tokens.
    Source: Rombach et al. 2022, appendix E.2.1.
    [B, N, C] -> [B, C, H, W]
    """
    require_rank(3, tokens=tokens)
    batch, count, channels = tokens.shape
    require_at_least(1, height=height, width=width)
    require(count == height * width, f"tokens has {count} of them; an image of {height} x {width} has {height * width}")
    return jnp.moveaxis(tokens.reshape(batch, height, width, channels), 3, 1)


def cross_attention(tokens, context, mask, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    r"""concat_h(sum_m a_nm W_V^h c_m) W_O^T with a = softmax_m(W_Q^h x_n . W_K^h c_m / sqrt(K)) over the words that mask shows.

    mask: True where a word is to be seen. K is the size of a head. No biases, and no residual.

    Raises ValueError if tokens, context or mask differ in the batch, mask does not have an entry for each word or shows none of
    an example, num_heads does not divide the rows of query_weight, or query_weight, key_weight, value_weight or output_weight
    does not fit.
    Source: Rombach et al. 2022, section 3.3; Vaswani et al. 2017, eq. 1.
    [B, N, D], [B, M, E], [B, M], [P, D], [P, E], [P, E], [D, P] -> [B, N, D]
    """
    require_rank(3, tokens=tokens, context=context)
    require_rank(2, query_weight=query_weight)
    batch, words, inner = tokens.shape[0], context.shape[1], query_weight.shape[0]
    require_shape((batch, *context.shape[1:]), context=context)
    _require_mask(mask, batch, words)
    require_at_least(1, num_heads=num_heads)
    require(inner % num_heads == 0, f"num_heads is {num_heads}; it must divide the {inner} rows of query_weight")
    require_shape((inner, tokens.shape[2]), query_weight=query_weight)
    require_shape((inner, context.shape[2]), key_weight=key_weight, value_weight=value_weight)
    require_shape((tokens.shape[2], inner), output_weight=output_weight)
    weights = query_weight, key_weight, value_weight, output_weight
    return multi_head_attention(tokens, context, *weights, mask[:, None, None, :], heads=num_heads, key_value_heads=num_heads)


def masked_mean(context, mask):
    r"""The mean of the words that mask shows: one vector for the whole caption.

    Raises ValueError if mask does not have an entry for each word, or shows none of an example.
    Source: Saharia et al. 2022, section 2.2.
    [B, M, E], [B, M] -> [B, E]
    """
    require_rank(3, context=context)
    _require_mask(mask, *context.shape[:2])
    shown = jnp.asarray(mask, bool)[:, :, None]
    return jnp.sum(jnp.where(shown, context, 0.0), axis=1) / jnp.sum(shown, axis=1)


def _require_mask(mask, batch, words):
    require_shape((batch, words), mask=mask)
    require_values("mask", mask, lambda a: np.any(a, axis=-1, keepdims=True), "True for at least one word of every example")
