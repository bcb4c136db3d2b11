"""The chain rule at work: likelihoods as sums over conditionals, masked networks, ancestral sampling."""

from functools import reduce

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_binary,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
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
    tokens = as_int64(tokens)
    if mask is not None:
        require_same_shape(tokens=tokens, mask=mask)
        hidden = ~mask.bool()
        tokens, logits = tokens.masked_fill(hidden, 0), logits.masked_fill(hidden.unsqueeze(-1), 0.0)
    require_tokens(logits.shape[2], tokens=tokens)
    log_probs = -functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    return (log_probs if mask is None else log_probs.masked_fill(hidden, 0.0)).sum(dim=-1)


def autoregressive_bernoulli_log_prob(x, logits):
    r"""log p(x) of binary x, with sigma(logits_d) the success probability of the d-th conditional, in nats.

    sum_d [ x_d l_d - softplus(l_d) ]

    Raises ValueError if the shapes differ or x holds anything but 0 and 1.  Source: Frey 1998, chapter 3.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits)
    require_binary(x=x)
    # log sigma(+-l), not through softplus: torch's is the identity beyond 20, which is off by 2e-9
    return functional.logsigmoid(torch.where(x > 0.5, logits, -logits)).sum(dim=-1)


def made_masks(input_order, hidden_degrees):
    r"""The masks of a masked autoencoder, one a layer: True where a weight survives.

    Unit k of a hidden layer has a degree m_k in 1..D-1, input d has its place in the order, m_d in 1..D.
    Hidden layers: M_kj = [m_k >= m_j]. Output layer: M_dk = [m_d > m_k].

    Raises ValueError if input_order is no permutation of 1..D or one of hidden_degrees is outside 1..max(1, D-1).
    Source: Germain et al. 2015, section 3.
    [D], ([...]) -> ([...])
    """
    require_rank(1, input_order=input_order)
    require(input_order.numel() > 0, "input_order is empty; it must be a permutation of 1..D")
    _require_permutation("input_order", input_order)
    highest = max(1, input_order.numel() - 1)
    masks, below = [], input_order
    for i, degrees in enumerate(hidden_degrees):
        name = f"hidden_degrees[{i}]"
        require_rank(1, **{name: degrees})
        require_values(name, degrees, lambda degrees: (degrees >= 1) & (degrees <= highest), f"a degree in 1..{highest}")
        masks.append(torch.ge(degrees.unsqueeze(1), below))
        below = degrees
    # the one strict comparison: without it every output would see its own input
    return (*masks, torch.gt(input_order.unsqueeze(1), below))


def made_logits(x, weights, biases, masks):
    r"""The logits of all D conditionals in one pass: a ReLU network with weights W * M.

    h_i = relu((W_i * M_i) h_{i-1} + b_i), and no ReLU after the last layer.

    Raises ValueError if there are not as many biases and masks as weights, or x or a layer's shapes do not fit.
    Source: Germain et al. 2015, section 3.
    [B, D], ([...]), ([...]), ([...]) -> [B, D]
    """
    require_rank(2, x=x)
    _require_chain(masks)
    require(len(weights) == len(masks), f"weights has {len(weights)} layers; it must have as many as masks, {len(masks)}")
    require(len(biases) == len(masks), f"biases has {len(biases)} layers; it must have as many as masks, {len(masks)}")
    columns = masks[0].shape[1]
    require(x.shape[1] == columns, f"x has {x.shape[1]} columns; it must have as many as the first of masks, {columns}")
    for i, (weight, bias, mask) in enumerate(zip(weights, biases, masks, strict=True)):
        require_same_shape(**{f"masks[{i}]": mask, f"weights[{i}]": weight})
        rows = mask.shape[0]
        require(tuple(bias.shape) == (rows,), f"biases[{i}] has shape {list(bias.shape)}; it must have {rows} entries, one a row")
        x = functional.linear(x if i == 0 else x.relu(), weight * mask, bias)
    return x


def mask_connectivity(masks):
    r"""The number of paths from input j to output d: M_{n+1} ... M_1, an integer matrix product.

    Raises ValueError if the masks do not fit together.  Source: Germain et al. 2015, section 3.
    ([...]) -> [D, D]
    """
    _require_chain(masks)
    # in float64, which counts exactly to 2^53: CUDA multiplies no integer matrices
    return reduce(torch.matmul, [mask.ne(0).double() for mask in reversed(masks)]).long()


def ancestral_bernoulli(uniforms, logits_fn, *, order):
    r"""A draw x of a binary autoregressive model: for k = 1..D, at the d with order_d = k, x_d = [u_d < sigma(l_d(x))].

    logits_fn: [B, D] -> [B, D], all conditionals at once; entries not drawn yet are 0, and must not matter.

    Raises ValueError if order is no permutation of 1..D or uniforms leaves [0, 1].  Source: Bishop, PRML, 8.1.2.
    [B, D], [D] -> [B, D]
    """
    require_rank(2, uniforms=uniforms)
    require_rank(1, order=order)
    size = uniforms.shape[1]
    require(len(order) == size, f"order has {len(order)} entries; it must have one for each of the {size} columns of uniforms")
    _require_permutation("order", order)
    require_unit_interval(uniforms=uniforms)
    x = torch.zeros_like(uniforms)
    for k in range(1, size + 1):
        drawn = (uniforms < torch.sigmoid(logits_fn(x))).to(x.dtype)
        x = torch.where(order == k, drawn, x)
    return x


def _require_permutation(name, order):
    size = order.numel()
    wanted = torch.arange(1, size + 1, device=order.device)
    require_values(name, order, lambda order: order.sort().values == wanted, f"(all of it) a permutation of 1..{size}")


def _require_chain(masks):
    """Each layer reads what the one below it writes, and the last writes as many as the first reads."""
    require(len(masks) > 0, "masks is empty; it must hold one mask a layer")
    for i, mask in enumerate(masks):
        require_rank(2, **{f"masks[{i}]": mask})
        wanted, source = (masks[i - 1].shape[0], "the layer below") if i else (masks[-1].shape[0], "the output")
        require(
            mask.shape[1] == wanted,
            f"masks[{i}] has {mask.shape[1]} columns; it must have {wanted}, as many as {source} has rows",
        )


class MaskedAutoencoder(nn.Module):
    """All conditionals of D binary variables in one pass, in one order or, with the same weights, in several.

    The first order is 1..D (images: row by row); the others are random. Degrees are spread evenly in the first, and drawn in
    the others.
    """

    def __init__(self, dim, hidden=(500,), orders=1):
        super().__init__()
        sizes = (dim, *hidden, dim)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.orders = orders
        draws = torch.Generator().manual_seed(0)  # the orders belong to the architecture, not to the run
        highest = max(1, dim - 1)
        places, masks = [], []
        for k in range(orders):
            order = torch.arange(dim) if k == 0 else torch.randperm(dim, generator=draws)
            degrees = [
                # a layer of fewer units than degrees skips some: in turns it would have none of the high ones
                torch.arange(width) * max(width, highest) // width % highest
                if k == 0
                else torch.randint(highest, (width,), generator=draws)
                for width in hidden
            ]
            places.append(order + 1)
            masks.append(made_masks(order + 1, tuple(d + 1 for d in degrees)))
        self.register_buffer("places", torch.stack(places))
        for i, of_layer in enumerate(zip(*masks, strict=True)):
            self.register_buffer(f"masks_{i}", torch.stack(of_layer))

    def order(self, k=0):
        """The place of each variable in the k-th order, [D] in 1..D."""
        return self.places[k]

    def forward(self, x, k=0):
        """Logits in the k-th order: [B, D] -> [B, D]. k is a number, or a tensor of one, [1], which stays where it is."""
        weights, biases = zip(*((layer.weight, layer.bias) for layer in self.layers), strict=True)
        masks = [getattr(self, f"masks_{i}") for i in range(len(self.layers))]
        chosen = (mask.index_select(0, k)[0] if isinstance(k, torch.Tensor) else mask[k] for mask in masks)
        return made_logits(x, weights, biases, tuple(chosen))
