"""The transformer as a decoder: per-token maps, causal attention, a residual stream; what it can tell, and what it costs.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from flax import nnx
from jax.scipy.special import erf

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_tokens, widened
from theory_jax.autoregressive.attention import causal_mask, multi_head_attention
from theory_jax.autoregressive.normalization import layer_norm, post_norm_residual, pre_norm_residual
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


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
        1, vocabulary_size=vocabulary_size, context_length=context_length, width=width, layers=layers,
        feed_forward_width=feed_forward_width,
    )  # fmt: skip
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
    """A dictionary of parameters that says what it lacks."""

    def __init__(self, name, entries):
        self._name, self._entries = name, entries

    def __getitem__(self, key):
        require(key in self._entries, f"{self._name} lacks {key!r}; it has {', '.join(map(repr, self._entries))}")
        return self._entries[key]


# ---------------------------------------------------------------------------------------------------- the network


class DecoderTransformer(nnx.Module):
    """decoder_logits with parameters of its own, whose layers only hold them."""

    def __init__(
        self, *, vocabulary_size, context_length, width, layers, heads, feed_forward_width=None, rngs: nnx.Rngs
    ):  # fmt: skip
        common, self.heads = dict(param_dtype=jnp.result_type(float), rngs=rngs), heads
        self.token_embedding = nnx.Embed(vocabulary_size, width, **common)
        self.position_embedding = nnx.Embed(context_length, width, **common)
        self.blocks = nnx.List(_Block(width, feed_forward_width or 4 * width, common) for _ in range(layers))
        self.final_norm = nnx.LayerNorm(width, **common)

    def __call__(self, tokens):
        parameters = {
            "token_embedding": self.token_embedding.embedding[...], "position_embedding": self.position_embedding.embedding[...],
            "blocks": tuple(block.parameters() for block in self.blocks), **_norm("final_norm", self.final_norm),
        }  # fmt: skip
        return decoder_logits(tokens, parameters, heads=self.heads)


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
            "query_weight": query, "key_weight": key, "value_weight": value, "output_weight": self.output.kernel[...].T,
            "up_weight": self.up.kernel[...].T, "up_bias": self.up.bias[...],
            "down_weight": self.down.kernel[...].T, "down_bias": self.down.bias[...],
            **_norm("attention_norm", self.attention_norm), **_norm("feed_forward_norm", self.feed_forward_norm),
        }  # fmt: skip


def _norm(name, layer):
    return {f"{name}_weight": layer.scale[...], f"{name}_bias": layer.bias[...]}


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The transformer decoder: all conditionals in one pass, and what it costs",
    lectures=(44, 45),
    sources=(
        "Vaswani et al. 2017, Attention Is All You Need",
        "Hendrycks & Gimpel 2016, Gaussian Error Linear Units",
        "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
        "Kaplan et al. 2020, Scaling Laws for Neural Language Models",
        "Shazeer 2020, GLU Variants Improve Transformer",
    ),
)

_V, _L, _E, _F, _HEADS = 7, 6, 8, 12, 2


def _block(seed):
    shapes = {
        "attention_norm_weight": (_E,), "attention_norm_bias": (_E,), "query_weight": (_E, _E), "key_weight": (_E, _E),
        "value_weight": (_E, _E), "output_weight": (_E, _E), "feed_forward_norm_weight": (_E,), "feed_forward_norm_bias": (_E,),
        "up_weight": (_F, _E), "up_bias": (_F,), "down_weight": (_E, _F), "down_bias": (_E,),
    }  # fmt: skip
    return {name: draw(*shape, seed=seed + i, scale=0.5) for i, (name, shape) in enumerate(shapes.items())}


def _parameters(layers=2, positions=1.0, seed=100):
    return {
        "token_embedding": draw(_V, _E, seed=seed), "position_embedding": positions * draw(_L, _E, seed=seed + 1),
        "blocks": tuple(_block(seed + 20 * (1 + i)) for i in range(layers)),
        "final_norm_weight": 1 + 0.1 * draw(_E, seed=seed + 2), "final_norm_bias": draw(_E, seed=seed + 3),
    }  # fmt: skip


_TOKENS = jnp.array([[3, 1, 4, 1, 5, 2], [6, 0, 2, 5, 3, 5]])
_logits = jax.jit(lambda tokens, parameters: decoder_logits(tokens, parameters, heads=_HEADS))


@derivation.numeric(
    r"l_t(x_{\le t}, x_{> t}) = l_t(x_{\le t}, x'_{> t}) = l_t(x_{\le t})",
    because="Everything but attention acts on each token by itself, and causal attention reads tokens up to t only. So the "
    "logits at t are a function of the prefix: changing the future or cutting it off changes nothing, and one pass over a "
    "sequence scores all T of its conditionals.",
)
def one_pass_scores_every_conditional():
    parameters = _parameters()
    whole = _logits(_TOKENS, parameters)[:, :4]
    changed = _logits(_TOKENS.at[:, 4:].set(0), parameters)[:, :4]
    return jnp.stack([changed, _logits(_TOKENS[:, :4], parameters)]), jnp.stack([whole, whole])


@derivation.numeric(
    r"\text{one block, no positions:}\quad l_T(x_{\pi(1)}, \ldots, x_{\pi(T-1)}, x_T) = l_T(x_1, \ldots, x_T)",
    because="The last token attends to a set. Without positions a single causal block cannot tell the order of what came "
    "before it.",
)
def one_block_without_positions_sees_a_set():
    parameters = _parameters(layers=1, positions=0.0)
    swapped = _TOKENS[:, jnp.array([2, 0, 1, 4, 3, 5])]
    return _logits(swapped, parameters)[:, -1], _logits(_TOKENS, parameters)[:, -1]


@derivation.bound(
    r"\text{two blocks, or positions:}\quad |\Delta l_T| > 0",
    because="In the second block the earlier tokens are no longer what they were: each has attended to a prefix of its own, so "
    "causality itself carries order. Position embeddings carry it at once. (Tight: no swap, no difference.)",
)
def depth_or_positions_tell_the_order():
    order = jnp.array([2, 0, 1, 4, 3, 5])
    deep, placed = _parameters(layers=2, positions=0.0), _parameters(layers=1)
    moved = [jnp.max(jnp.abs((_logits(_TOKENS[:, order], p) - _logits(_TOKENS, p))[:, -1])) for p in (deep, placed)]
    none = jnp.max(jnp.abs(_logits(_TOKENS, deep) - _logits(jnp.array(_TOKENS), deep)))
    return jnp.full(2, 1e-3), jnp.stack(moved), (none, jnp.array(0.0))


@derivation.symbolic(
    r"\mathrm{gelu}'(x) = \Phi(x) + x\, \varphi(x)",
    because="The product rule, with the normal density as the derivative of its distribution function. Unlike relu's, the slope "
    "is smooth, and slightly negative below -0.75.",
)
def gelus_derivative():
    x = sympy.symbols("x", real=True)
    cdf = (1 + sympy.erf(x / sympy.sqrt(2))) / 2
    return sympy.diff(x * cdf, x), cdf + x * sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi)


@derivation.autodiff(
    r"\mathrm{gelu}'(x) = \Phi(x) + x\, \varphi(x) \quad\text{in the code, too}",
    because="The same formula, held against the gradient of the function that is used.",
)
def gelus_gradient():
    x = jnp.linspace(-6.0, 6.0, 101)
    slopes = jax.vmap(jax.grad(lambda x: gelu(x, approximate=False)))(x)
    return slopes, (1 + erf(x / np.sqrt(2))) / 2 + x * jnp.exp(-x * x / 2) / np.sqrt(2 * np.pi)


@derivation.bound(
    r"|\mathrm{gelu}_{\tanh}(x) - \mathrm{gelu}(x)| \;\le\; 4.8 \cdot 10^{-4}",
    because="The cubic in the tanh is a fit. The largest error is near x = 2.7, far above the rounding of any precision: mixing "
    "the two forms between backends is a bug that no tolerance should forgive. At 0 both are 0.",
)
def the_tanh_form_is_another_function():
    x = jnp.linspace(-8.0, 8.0, 4001)
    error = jnp.abs(gelu(x, approximate=True) - gelu(x, approximate=False))
    return jnp.append(error, 4e-4), jnp.append(jnp.full(4001, 4.8e-4), jnp.max(error)), (error[2000], jnp.array(0.0))


@derivation.numeric(
    r"\mathrm{SwiGLU}(x; W_g, a W_u + b W_u') = a\, \mathrm{SwiGLU}(x; W_g, W_u) + b\, \mathrm{SwiGLU}(x; W_g, W_u')",
    because="The up branch enters without a nonlinearity: the gate alone decides how much of it passes. A gate on the wrong "
    "branch would be linear in the other matrix instead.",
)
def swiglu_is_linear_in_its_up_branch():
    x, gate, down = draw(2, 3, _E), draw(_F, _E, seed=1), draw(_E, _F, seed=2)
    one, other = draw(_F, _E, seed=3), draw(_F, _E, seed=4)
    left = gated_feed_forward(x, gate, 2.0 * one - 3.0 * other, down)
    return left, 2.0 * gated_feed_forward(x, gate, one, down) - 3.0 * gated_feed_forward(x, gate, other, down)


@derivation.symbolic(
    r"3 E F = 2 E \cdot 4 E \iff F = \tfrac{8}{3} E",
    because="Three matrices instead of two: at 8/3 of the width instead of 4 the gated layer has as many parameters.",
)
def swiglus_width():
    e, f = sympy.symbols("E F", positive=True)
    return sympy.solve(sympy.Eq(3 * e * f, 2 * e * 4 * e), f)[0], sympy.Rational(8, 3) * e


@derivation.exact(
    r"\#\theta = (V + L + 2) E + N (4 E^2 + 2 E F + F + 5 E)",
    because="Embeddings and last norm; per block four square matrices, the two of the feed-forward layer with their biases, and "
    "two norms. With the 4 E attention biases per block that GPT-2 has and this decoder has not, the count is GPT-2 small's.",
)
def parameters_are_counted():
    small = parameter_count(vocabulary_size=_V, context_length=_L, width=_E, layers=2, feed_forward_width=_F, tied=True)
    arrays = sum(leaf.size for leaf in jax.tree.leaves(_parameters()))
    gpt2 = parameter_count(
        vocabulary_size=50257, context_length=1024, width=768, layers=12, feed_forward_width=3072, tied=True
    )  # fmt: skip
    return jnp.array([small, gpt2 + 12 * 4 * 768]), jnp.array([arrays, 124_439_808])


@derivation.numeric(
    r"C \approx 2\, (\#\theta - L E)\, T + 4 N T^2 E",
    tolerance=2e-3,
    since="biases and norms are parameters that take part in no matrix product; they are 0.1% of GPT-2 small",
    because="Every weight of a matrix multiplies once and adds once for each token: two operations a parameter and token, "
    "positions excepted. Attention adds two products of T x T x E a layer.",
)
def operations_are_twice_the_parameters():
    sizes = {"vocabulary_size": 50257, "width": 768, "layers": 12, "feed_forward_width": 3072}
    count = parameter_count(**sizes, context_length=1024, tied=True)
    return forward_operations(**sizes, length=1024) / 1e9, (2 * (count - 1024 * 768) * 1024 + 4 * 12 * 1024**2 * 768) / 1e9


@derivation.numeric(
    r"4 N T^2 E / C = 0.13 \quad\text{at GPT-2 small, } T = 1024",
    tolerance=0.02,
    since="the claim is given to two digits",
    because="The quadratic term is not what such a model costs at this length: an eighth. It overtakes the rest where T is "
    "about 6 E.",
)
def attentions_share():
    total = forward_operations(vocabulary_size=50257, length=1024, width=768, layers=12, feed_forward_width=3072)
    return 4 * 12 * 1024**2 * 768 / total, 0.13


@derivation.numeric(
    r"x_N = x_0 + \sum_l \big( a_l + m_l \big), \qquad l = W \Big( \tfrac{1}{\sigma} P x_N \odot w + b \Big)",
    because="Blocks only add to the stream, so its end is the embedding plus every branch's output; and once the last norm's "
    "deviation is fixed, the head is linear in it. Each branch's share of every logit can be read off (the logit lens).",
)
def logits_are_a_sum_over_branches():
    parameters, mask = _parameters(), causal_mask(query_length=6, key_length=6)
    x = parameters["token_embedding"][_TOKENS] + parameters["position_embedding"]
    parts = [x]
    for p in parameters["blocks"]:
        z = layer_norm(x, p["attention_norm_weight"], p["attention_norm_bias"], epsilon=1e-5)
        weights = (p["query_weight"], p["key_weight"], p["value_weight"], p["output_weight"])
        attended = multi_head_attention(z, z, *weights, mask, heads=_HEADS, key_value_heads=_HEADS)
        z = layer_norm(x + attended, p["feed_forward_norm_weight"], p["feed_forward_norm_bias"], epsilon=1e-5)
        thought = feed_forward(z, p["up_weight"], p["up_bias"], p["down_weight"], p["down_bias"])
        parts += [attended, thought]
        x = x + attended + thought
    root = jnp.sqrt(jnp.var(x, axis=-1, keepdims=True) + 1e-5)
    head, gain, bias = parameters["token_embedding"], parameters["final_norm_weight"], parameters["final_norm_bias"]
    shares = [((part - jnp.mean(part, -1, keepdims=True)) / root * gain) @ head.T for part in parts]
    return _logits(_TOKENS, parameters), sum(shares) + bias @ head.T


if __name__ == "__main__":
    derivation.main()
