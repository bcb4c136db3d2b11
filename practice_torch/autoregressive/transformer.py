"""The transformer decoder by its formulas.

The functions are the formulas of the contracts. `DecoderTransformer` in networks/ is the same network on fused kernels, with the
choices that the field makes (norm, activation, positions, groups); the tests compare the two.
"""

import math

import torch
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_shape, require_tokens
from practice_torch.autoregressive.attention import causal_mask, multi_head_attention
from practice_torch.autoregressive.normalization import layer_norm, post_norm_residual, pre_norm_residual
from practice_torch.networks.decoder_transformer import DecoderTransformer as DecoderTransformer


def gelu(x, *, approximate):
    r"""x Phi(x), Phi the standard normal distribution function; approximate: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Source: Hendrycks & Gimpel 2016, section 2.
    [...] -> [...]
    """
    if approximate:
        # (1 + tanh(y)) / 2 = sigmoid(2y), which keeps its digits where tanh has come to -1.
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return x * (torch.special.erfc(x * -math.sqrt(0.5)) / 2)  # ndtr loses the left tail beyond -8


def silu(x):
    r"""x sigma(x) = x / (1 + e^-x).

    Source: Hendrycks & Gimpel 2016, section 4; Elfwing, Uchibe & Doya 2018.
    [...] -> [...]
    """
    return x * torch.sigmoid(x)


def feed_forward(x, up_weight, up_bias, down_weight, down_bias, *, approximate=True):
    r"""W_d gelu(W_u x + b_u) + b_d, for every token by itself.

    Raises ValueError if the matrices do not fit.  Source: Vaswani et al. 2017, eq. 2, with gelu for relu.
    [B, T, E], [F, E], [F], [E, F], [E] -> [B, T, E]
    """
    require_rank(3, x=x)
    width, inner = x.shape[-1], len(up_weight)
    require_shape((inner, width), up_weight=up_weight)
    require_shape((inner,), up_bias=up_bias)
    require_shape((width, inner), down_weight=down_weight)
    require_shape((width,), down_bias=down_bias)
    hidden = gelu(functional.linear(x, up_weight, up_bias), approximate=approximate)
    return functional.linear(hidden, down_weight, down_bias)


def gated_feed_forward(x, gate_weight, up_weight, down_weight):
    r"""W_d (silu(W_g x) * W_u x), for every token by itself: SwiGLU.

    Raises ValueError if the matrices do not fit.  Source: Shazeer 2020, eq. 6.
    [B, T, E], [F, E], [F, E], [E, F] -> [B, T, E]
    """
    require_rank(3, x=x)
    width, inner = x.shape[-1], len(gate_weight)
    require_shape((inner, width), gate_weight=gate_weight, up_weight=up_weight)
    require_shape((width, inner), down_weight=down_weight)
    return functional.linear(silu(functional.linear(x, gate_weight)) * functional.linear(x, up_weight), down_weight)


def decoder_block(x, parameters, mask, *, heads, epsilon, norm_position):
    r"""Attention, then feed-forward, each on a skip path: x + f(LN(x)) twice with 'pre', LN(x + f(x)) twice with 'post'.

    Raises ValueError for another norm_position, a missing parameter, or a width that heads do not divide.
    Source: Radford et al. 2019, section 2.3 ('pre'); Vaswani et al. 2017, section 3.1 ('post').
    [B, T, E], {[...]}, [...] -> [B, T, E]
    """
    require(norm_position in ("pre", "post"), f"norm_position is {norm_position!r}; it must be 'pre' or 'post'")
    require_rank(3, x=x)
    require(x.shape[-1] % heads == 0, f"heads is {heads}; it must divide the width of x, {x.shape[-1]}")
    residual = pre_norm_residual if norm_position == "pre" else post_norm_residual
    attention = _entries(parameters, "query_weight", "key_weight", "value_weight", "output_weight")
    perceptron = _entries(parameters, "up_weight", "up_bias", "down_weight", "down_bias")
    norm = _entries(parameters, "attention_norm_weight", "attention_norm_bias")
    x = residual(
        x, *norm, lambda z: multi_head_attention(z, z, *attention, mask, heads=heads, key_value_heads=heads), epsilon=epsilon
    )
    norm = _entries(parameters, "feed_forward_norm_weight", "feed_forward_norm_bias")
    return residual(x, *norm, lambda z: feed_forward(z, *perceptron), epsilon=epsilon)


def decoder_logits(tokens, parameters, *, heads, epsilon=1e-5):
    r"""Logits of token t+1 given tokens 0..t, for every t in one pass: embeddings, pre-norm blocks, a last norm, the head.

    The head is the token embedding itself unless the parameters have an output_weight.

    Raises ValueError for a token that is not in the vocabulary, more tokens than positions, a missing one of the parameters
    (named), or a width that is no multiple of heads.
    Source: Radford et al. 2019, section 2.3; Press & Wolf 2017 for the tied head.
    [B, T], {[...]} -> [B, T, V]
    """
    require_rank(2, tokens=tokens)
    embedding, positions, blocks, *norm = _entries(
        parameters, "token_embedding", "position_embedding", "blocks", "final_norm_weight", "final_norm_bias"
    )
    steps = tokens.shape[1]
    require(steps <= len(positions), f"tokens has {steps} steps; there are {len(positions)} positions")
    require_tokens(len(embedding), tokens=tokens)
    x = functional.embedding(as_int64(tokens), embedding) + positions[:steps]
    mask = causal_mask(query_length=steps, key_length=steps).to(x.device)
    for block in blocks:
        x = decoder_block(x, block, mask, heads=heads, epsilon=epsilon, norm_position="pre")
    return functional.linear(layer_norm(x, *norm, epsilon=epsilon), parameters.get("output_weight", embedding))


def parameter_count(*, vocabulary_size, context_length, width, layers, feed_forward_width, tied):
    r"""Numbers in the parameters of decoder_logits: (V + L + 2) E + N (4 E^2 + 2 E F + F + 5 E), and V E more if not tied.

    Raises ValueError unless vocabulary_size, context_length, width, layers and feed_forward_width are positive.
    Source: by counting.
    -> []
    """
    sizes = {"vocabulary_size": vocabulary_size, "context_length": context_length, "width": width, "layers": layers}
    require_at_least(1, **sizes, feed_forward_width=feed_forward_width)
    embeddings = vocabulary_size * width * (1 if tied else 2) + context_length * width
    attention, norms = 4 * width * width, 4 * width
    perceptron = feed_forward_width * width + feed_forward_width + width * feed_forward_width + width
    return embeddings + layers * (attention + norms + perceptron) + 2 * width


def forward_operations(*, vocabulary_size, length, width, layers, feed_forward_width):
    r"""Additions and multiplications in the matrix products of one pass: N (8 E^2 + 4 E F + 4 T E) T + 2 V E T.

    Attention is counted densely, T by T, as it is computed without skipping what the mask hides.

    Raises ValueError unless vocabulary_size, length, width, layers and feed_forward_width are positive.
    Source: Kaplan et al. 2020, section 2.1, with the head.
    -> []
    """
    sizes = {"vocabulary_size": vocabulary_size, "length": length, "width": width, "layers": layers}
    require_at_least(1, **sizes, feed_forward_width=feed_forward_width)
    projections = 4 * 2 * length * width * width
    attention = 2 * 2 * length * length * width
    perceptron = 2 * 2 * length * width * feed_forward_width
    return layers * (projections + attention + perceptron) + 2 * length * width * vocabulary_size


def _entries(parameters, *names):
    for name in names:
        require(name in parameters, f"parameters lacks {name!r}; it has {', '.join(map(repr, parameters))}")
    return [parameters[name] for name in names]
