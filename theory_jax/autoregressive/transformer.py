"""The transformer as a decoder: per-token maps, causal attention, a residual stream; its expressiveness and cost."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_tokens, widened
from theory_jax.autoregressive.attention import causal_mask, multi_head_attention
from theory_jax.autoregressive.normalization import layer_norm, post_norm_residual, pre_norm_residual


def gelu(x, *, approximate):
    r"""x Phi(x), Phi the standard normal distribution function; approximate: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Source: Hendrycks & Gimpel 2016, section 2.
    [...] -> [...]
    """
    if approximate:
        # (1 + tanh(y)) / 2 = sigmoid(2y), which keeps its digits where tanh has come to -1.
        return x * jax.nn.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))
    return x * jax.scipy.stats.norm.cdf(x)


def silu(x):
    r"""x sigma(x) = x / (1 + e^-x).

    Source: Hendrycks & Gimpel 2016, section 4; Elfwing, Uchibe & Doya 2018.
    [...] -> [...]
    """
    return x * jax.nn.sigmoid(x)


def feed_forward(x, up_weight, up_bias, down_weight, down_bias, *, approximate=True):
    r"""W_d gelu(W_u x + b_u) + b_d, for every token by itself.

    Raises ValueError if the matrices do not fit.  Source: Vaswani et al. 2017, eq. 2, with gelu for relu.
    [B, T, E], [F, E], [F], [E, F], [E] -> [B, T, E]
    """
    require_rank(3, x=x)
    width, inner = x.shape[-1], jnp.shape(up_weight)[0]
    require_shape((inner, width), up_weight=up_weight)
    require_shape((inner,), up_bias=up_bias)
    require_shape((width, inner), down_weight=down_weight)
    require_shape((width,), down_bias=down_bias)
    return gelu(x @ up_weight.T + up_bias, approximate=approximate) @ down_weight.T + down_bias


def gated_feed_forward(x, gate_weight, up_weight, down_weight):
    r"""W_d (silu(W_g x) * W_u x), for every token by itself: SwiGLU.

    Raises ValueError if the matrices do not fit.  Source: Shazeer 2020, eq. 6.
    [B, T, E], [F, E], [F, E], [E, F] -> [B, T, E]
    """
    require_rank(3, x=x)
    width, inner = x.shape[-1], jnp.shape(gate_weight)[0]
    require_shape((inner, width), gate_weight=gate_weight, up_weight=up_weight)
    require_shape((width, inner), down_weight=down_weight)
    return (silu(x @ gate_weight.T) * (x @ up_weight.T)) @ down_weight.T


def decoder_block(x, parameters, mask, *, heads, epsilon, norm_position):
    r"""Attention, then feed-forward, each on a skip path: x + f(LN(x)) twice with 'pre', LN(x + f(x)) twice with 'post'.

    Raises ValueError for another norm_position, a missing parameter, or a width that heads do not divide.
    Source: Radford et al. 2019, section 2.3 ('pre'); Vaswani et al. 2017, section 3.1 ('post').
    [B, T, E], {[...]}, [...] -> [B, T, E]
    """
    require(norm_position in ("pre", "post"), f"norm_position is {norm_position!r}; it must be 'pre' or 'post'")
    require_rank(3, x=x)
    require(x.shape[-1] % heads == 0, f"heads is {heads}; it must divide the width of x, {x.shape[-1]}")
    p = _Named("parameters", parameters)

    def attend(z):
        weights = (p["query_weight"], p["key_weight"], p["value_weight"], p["output_weight"])
        return multi_head_attention(z, z, *weights, mask, heads=heads, key_value_heads=heads)

    def think(z):
        return feed_forward(z, p["up_weight"], p["up_bias"], p["down_weight"], p["down_bias"])

    around = {"pre": pre_norm_residual, "post": post_norm_residual}[norm_position]
    x = around(x, p["attention_norm_weight"], p["attention_norm_bias"], attend, epsilon=epsilon)
    return around(x, p["feed_forward_norm_weight"], p["feed_forward_norm_bias"], think, epsilon=epsilon)


def decoder_logits(tokens, parameters, *, heads, epsilon=1e-5):
    r"""Logits of token t+1 given tokens 0..t, for every t in one pass: embeddings, pre-norm blocks, a last norm, the head.

    The head is the token embedding itself unless the parameters have an output_weight.

    Raises ValueError for a token that is not in the vocabulary, more tokens than positions, a missing one of the parameters
    (named), or a width that is no multiple of heads.
    Source: Radford et al. 2019, section 2.3; Press & Wolf 2017 for the tied head.
    [B, T], {[...]} -> [B, T, V]
    """
    require_rank(2, tokens=tokens)
    p = _Named("parameters", parameters)
    vocabulary, length = len(p["token_embedding"]), len(p["position_embedding"])
    steps = tokens.shape[1]
    require(steps <= length, f"tokens has {steps} steps; there are {length} positions")
    require_tokens(vocabulary, tokens=tokens)
    x = p["token_embedding"][widened(tokens)] + p["position_embedding"][:steps]
    mask = causal_mask(query_length=steps, key_length=steps)
    for block in p["blocks"]:
        x = decoder_block(x, block, mask, heads=heads, epsilon=epsilon, norm_position="pre")
    x = layer_norm(x, p["final_norm_weight"], p["final_norm_bias"], epsilon=epsilon)
    return x @ parameters.get("output_weight", p["token_embedding"]).T


def parameter_count(*, vocabulary_size, context_length, width, layers, feed_forward_width, tied):
    r"""Numbers in the parameters of decoder_logits: (V + L + 2) E + N (4 E^2 + 2 E F + F + 5 E), and V E more if not tied.

    Raises ValueError unless vocabulary_size, context_length, width, layers and feed_forward_width are positive.
    Source: by counting.
    -> []
    """
    require_at_least(
        1,
        vocabulary_size=vocabulary_size,
        context_length=context_length,
        width=width,
        layers=layers,
        feed_forward_width=feed_forward_width,
    )
    block = 4 * width**2 + 2 * width * feed_forward_width + feed_forward_width + 5 * width
    return (vocabulary_size * (1 if tied else 2) + context_length + 2) * width + layers * block


def forward_operations(*, vocabulary_size, length, width, layers, feed_forward_width):
    r"""Additions and multiplications in the matrix products of one pass: N (8 E^2 + 4 E F + 4 T E) T + 2 V E T.

    Attention is counted densely, T by T, as it is computed without skipping what the mask hides.

    Raises ValueError unless vocabulary_size, length, width, layers and feed_forward_width are positive.
    Source: Kaplan et al. 2020, section 2.1, with the head.
    -> []
    """
    require_at_least(
        1, vocabulary_size=vocabulary_size, length=length, width=width, layers=layers, feed_forward_width=feed_forward_width
    )
    block = 8 * width**2 + 4 * width * feed_forward_width + 4 * length * width
    return (layers * block + 2 * vocabulary_size * width) * length


class _Named:
    """A dictionary of parameters that names a missing one."""

    def __init__(self, name, entries):
        self._name, self._entries = name, entries

    def __getitem__(self, key):
        require(key in self._entries, f"{self._name} lacks {key!r}; it has {', '.join(map(repr, self._entries))}")
        return self._entries[key]


# ---------------------------------------------------------------------------------------------------- the network


class DecoderTransformer(nnx.Module):
    """decoder_logits with its own parameters; its layers only hold them."""

    def __init__(self, *, vocabulary_size, context_length, width, layers, heads, feed_forward_width=None, rngs: nnx.Rngs):
        common, self.heads = dict(param_dtype=jnp.result_type(float), rngs=rngs), heads
        self.token_embedding = nnx.Embed(vocabulary_size, width, **common)
        self.position_embedding = nnx.Embed(context_length, width, **common)
        self.blocks = nnx.List(_Block(width, feed_forward_width or 4 * width, common) for _ in range(layers))
        self.final_norm = nnx.LayerNorm(width, **common)

    def __call__(self, tokens):
        return decoder_logits(tokens, self.parameters(), heads=self.heads)

    def hidden(self, tokens):
        """The input of the head, [B, T] -> [B, T, E]: the logits with the identity as head."""
        identity = jnp.eye(self.token_embedding.features)
        return decoder_logits(tokens, self.parameters() | {"output_weight": identity}, heads=self.heads)

    def parameters(self):
        return {
            "token_embedding": self.token_embedding.embedding[...],
            "position_embedding": self.position_embedding.embedding[...],
            "blocks": tuple(block.parameters() for block in self.blocks),
            **_norm("final_norm", self.final_norm),
        }


class _Block(nnx.Module):
    """The parameters of decoder_block; those of query, key and value are one matrix."""

    def __init__(self, width, inner, common):
        self.attention_norm, self.feed_forward_norm = nnx.LayerNorm(width, **common), nnx.LayerNorm(width, **common)
        self.query_key_value = nnx.Linear(width, 3 * width, use_bias=False, **common)
        self.output = nnx.Linear(width, width, use_bias=False, **common)
        self.up, self.down = nnx.Linear(width, inner, **common), nnx.Linear(inner, width, **common)

    def parameters(self):
        query, key, value = jnp.split(self.query_key_value.kernel[...].T, 3)
        return {
            "query_weight": query,
            "key_weight": key,
            "value_weight": value,
            "output_weight": self.output.kernel[...].T,
            "up_weight": self.up.kernel[...].T,
            "up_bias": self.up.bias[...],
            "down_weight": self.down.kernel[...].T,
            "down_bias": self.down.bias[...],
            **_norm("attention_norm", self.attention_norm),
            **_norm("feed_forward_norm", self.feed_forward_norm),
        }


def _norm(name, layer):
    return {f"{name}_weight": layer.scale[...], f"{name}_bias": layer.bias[...]}
