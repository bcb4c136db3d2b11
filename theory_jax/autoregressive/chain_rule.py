"""The chain rule (lecture 42): any joint law is a product of conditionals, and a masked network gives all of them in one pass."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy.special import logsumexp

from theory_jax.arguments import (
    require,
    require_binary,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
    widened,
)


def sequence_log_prob(tokens, logits, mask):
    r"""log p(x) = sum_t m_t log softmax(logits_t)_{x_t}, in nats; logits_t scores tokens_t. mask: True = valid; None = all valid.

    Tokens and logits at masked positions have no influence.

    Raises ValueError if the shapes do not fit or a valid token is outside 0..V-1.  Source: Bengio et al. 2003, section 2.
    [B, T], [B, T, V], [B, T] -> [B]
    """
    require_rank(2, tokens=tokens)
    require_rank(3, logits=logits)
    require(
        logits.shape[:2] == tokens.shape,
        f"logits has shape {list(logits.shape)}; it must begin with the shape of tokens, {list(tokens.shape)}",
    )
    if mask is None:
        mask = jnp.ones(tokens.shape, bool)
    require_same_shape(tokens=tokens, mask=mask)
    mask = mask.astype(bool)
    vocabulary_size = logits.shape[2]
    tokens = jnp.where(mask, widened(tokens), 0)
    require_tokens(vocabulary_size, tokens=tokens)
    # Masked before the logarithm: padding may hold infinities, with NaN gradients.
    logits = jnp.where(mask[..., None], logits, 0.0)
    chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)
    return -jnp.sum(logsumexp(logits - chosen, axis=-1), axis=-1, where=mask)


def autoregressive_bernoulli_log_prob(x, logits):
    r"""log p(x) of binary x, with sigma(logits_d) the success probability of the d-th conditional, in nats.

    sum_d [ x_d l_d - softplus(l_d) ]

    Raises ValueError if the shapes differ or x holds anything but 0 and 1.  Source: Frey 1998, chapter 3.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits)
    require_binary(x=x)
    # x l - softplus(l) is -softplus(-l) at x = 1 and -softplus(l) at x = 0: in this form no large terms cancel
    return -jnp.sum(jax.nn.softplus((1 - 2 * x) * logits), axis=-1)


def made_masks(input_order, hidden_degrees):
    r"""The masks of a masked autoencoder, one a layer: True where a weight survives.

    Unit k of a hidden layer has a degree m_k in 1..D-1, input d has its place in the order, m_d in 1..D.
    Hidden layers: M_kj = [m_k >= m_j]. Output layer: M_dk = [m_d > m_k].

    Raises ValueError if input_order is no permutation of 1..D or one of hidden_degrees is outside 1..max(1, D-1).
    Source: Germain et al. 2015, section 3.
    [D], ([...]) -> ([...])
    """
    require_rank(1, input_order=input_order)
    size = input_order.shape[0]
    require(size > 0, "input_order is empty; it must be a permutation of 1..D")
    require_values(
        "input_order", input_order, lambda a: np.sort(a) == np.arange(1, size + 1), f"(all of it) a permutation of 1..{size}"
    )
    highest = max(1, size - 1)
    for i, degrees in enumerate(hidden_degrees):
        require_rank(1, **{f"hidden_degrees[{i}]": degrees})
        require_values(f"hidden_degrees[{i}]", degrees, lambda a: (a >= 1) & (a <= highest), f"a degree in 1..{highest}")
    units = (input_order, *hidden_degrees)
    hidden = tuple(above[:, None] >= below[None, :] for below, above in itertools.pairwise(units))
    return (*hidden, input_order[:, None] > units[-1][None, :])


def made_logits(x, weights, biases, masks):
    r"""The logits of all D conditionals in one pass: a ReLU network with weights W * M.

    h_i = relu((W_i * M_i) h_{i-1} + b_i), and no ReLU after the last layer.

    Raises ValueError if there are not as many biases and masks as weights, or x or a layer's shapes do not fit.
    Source: Germain et al. 2015, section 3.
    [B, D], ([...]), ([...]), ([...]) -> [B, D]
    """
    _require_layers(x, weights, biases, masks)
    hidden = x
    for weight, bias, mask in zip(weights[:-1], biases[:-1], masks[:-1], strict=True):
        hidden = jax.nn.relu(jnp.einsum("bi,oi->bo", hidden, weight * mask) + bias)
    return jnp.einsum("bi,oi->bo", hidden, weights[-1] * masks[-1]) + biases[-1]


def mask_connectivity(masks):
    r"""The number of paths from input j to output d: M_{n+1} ... M_1, an integer matrix product.

    Raises ValueError if the masks do not fit together.  Source: Germain et al. 2015, section 3.
    ([...]) -> [D, D]
    """
    _require_chain(masks)
    paths = jnp.asarray(masks[0] != 0, int)
    for mask in masks[1:]:
        paths = jnp.asarray(mask != 0, int) @ paths
    return paths


def ancestral_bernoulli(uniforms, logits_fn, *, order):
    r"""A draw x of a binary autoregressive model: for k = 1..D, at the d with order_d = k, x_d = [u_d < sigma(l_d(x))].

    logits_fn: [B, D] -> [B, D], all conditionals at once; entries not drawn yet are 0, and must not matter.

    Raises ValueError if order is no permutation of 1..D or uniforms leaves [0, 1].  Source: Bishop, PRML, 8.1.2.
    [B, D], [D] -> [B, D]
    """
    require_rank(2, uniforms=uniforms)
    require_rank(1, order=order)
    size = uniforms.shape[1]
    entries = order.shape[0]
    require(entries == size, f"order has {entries} entries; it must have one for each of the {size} columns of uniforms")
    require_values("order", order, lambda a: np.sort(a) == np.arange(1, size + 1), f"(all of it) a permutation of 1..{size}")
    require_unit_interval(uniforms=uniforms)
    sequence = jnp.argsort(order)

    def draw(k, x):
        d = sequence[k]
        success = jax.nn.sigmoid(logits_fn(x)[:, d])
        return x.at[:, d].set((uniforms[:, d] < success).astype(x.dtype))

    return jax.lax.fori_loop(0, size, draw, jnp.zeros_like(uniforms))


def _require_chain(masks):
    """Every mask has as many columns as the previous mask has rows; the last has as many rows as the first has columns."""
    require(len(masks) > 0, "masks is empty; it must hold one mask a layer")
    for i, mask in enumerate(masks):
        require_rank(2, **{f"masks[{i}]": mask})
        below, source = (masks[i - 1].shape[0], "the layer below") if i else (masks[-1].shape[0], "the output")
        require(
            mask.shape[1] == below, f"masks[{i}] has {mask.shape[1]} columns; it must have {below}, as many as {source} has rows"
        )


def _require_layers(x, weights, biases, masks):
    require_rank(2, x=x)
    for name, parts in (("weights", weights), ("biases", biases)):
        require(len(parts) == len(masks), f"{name} has {len(parts)} layers; it must have as many as masks, {len(masks)}")
    _require_chain(masks)
    require(
        x.shape[1] == masks[0].shape[1],
        f"x has {x.shape[1]} columns; it must have as many as the first of masks, {masks[0].shape[1]}",
    )
    for i, (weight, bias, mask) in enumerate(zip(weights, biases, masks, strict=True)):
        require_same_shape(**{f"masks[{i}]": mask, f"weights[{i}]": weight})
        rows = mask.shape[0]
        require(bias.shape == (rows,), f"biases[{i}] has shape {list(bias.shape)}; it must have {rows} entries, one a row")


class MaskedAutoencoder(nnx.Module):
    """made_logits with its own parameters: the variables in their own order, degrees spread evenly over the hidden units."""

    def __init__(self, dim, hidden=(500,), *, rngs: nnx.Rngs):
        common, sizes = dict(param_dtype=jnp.result_type(float), rngs=rngs), (dim, *hidden, dim)
        self.layers = nnx.List(nnx.Linear(*pair, **common) for pair in itertools.pairwise(sizes))

    def __call__(self, x):
        weights, biases = [layer.kernel[...].T for layer in self.layers], [layer.bias[...] for layer in self.layers]
        highest, widths = max(1, x.shape[1] - 1), [len(bias) for bias in biases[:-1]]
        # a layer of fewer units than degrees skips some: in turns it would have none of the high ones
        degrees = tuple(1 + jnp.arange(width) * max(width, highest) // width % highest for width in widths)
        return made_logits(x, weights, biases, made_masks(1 + jnp.arange(x.shape[1]), degrees))
