"""Masked autoregressive flow: every variable is standardized given all earlier ones; masks keep a network to that order.

Forward is the way from data x to noise z.
"""

import itertools
import random

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_integers, require_rank, require_same_shape, require_shape
from practice_torch.flows._batch_normalization import BatchNormalization
from practice_torch.flows._coupling import require_finite_exponential
from practice_torch.flows.affine_coupling import bounded_log_scale
from practice_torch.networks.perceptron import perceptron

MOST_BOUND = 80.0  # of a log-scale, whose exponential float32 holds


def degrees_to_mask(input_degrees, output_degrees, *, strict):
    r"""True where output degree > input degree, if strict, else where >=: which weights of a layer respect the order.

    Raises ValueError if input_degrees or output_degrees is no vector of integers.  Source: Germain et al. 2015, eq. 8 and 9.
    [I], [O] -> [O, I]
    """
    require_rank(1, input_degrees=input_degrees, output_degrees=output_degrees)
    require_integers(input_degrees=input_degrees, output_degrees=output_degrees)
    compare = torch.gt if strict else torch.ge
    return compare(as_int64(output_degrees).unsqueeze(1), as_int64(input_degrees))


def masked_linear(x, weight, bias, mask):
    r"""x (mask * weight)^T + bias: a linear layer without the weights where mask is False.

    Raises ValueError if the shapes do not fit, or mask holds no truth values.  Source: Germain et al. 2015, eq. 7.
    [B, I], [O, I], [O], [O, I] -> [B, O]
    """
    require_rank(2, x=x, weight=weight)
    require_shape((weight.shape[0], x.shape[1]), weight=weight)
    require_shape(weight.shape[:1], bias=bias)
    require_same_shape(weight=weight, mask=mask)
    require(mask.dtype == torch.bool, f"mask has dtype {mask.dtype}; it must be truth values, True where a weight stays")
    return functional.linear(x, torch.where(mask, weight, 0), bias)


def forward(x, conditioner_fn):
    r"""z_d = (x_d - mean_d) e^-log_scale_d with (mean, log_scale) = conditioner_fn(x), and log |det dz/dx| = -sum log_scale.

    conditioner_fn gives two arrays of the shape of x; entry d must depend on x_1 .. x_(d-1) alone, which is not checked.

    Raises ValueError if x has not two axes, conditioner_fn does not keep its shape, or e^|log_scale| overflows.
    Source: Papamakarios et al. 2017, eq. 4 and 5.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, x=x)
    mean, log_scale = _conditions(x, conditioner_fn)
    return _standardized(x, mean, log_scale)


def inverse(z, conditioner_fn):
    r"""x_d = z_d e^log_scale_d + mean_d, one entry after the other, in D passes, and log |det dx/dz| = sum log_scale.

    Raises ValueError as forward does, of z in place of x.  Source: Papamakarios et al. 2017, eq. 3.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, z=z)
    x, log_det = torch.zeros_like(z), z.new_zeros(len(z))
    for _ in range(z.shape[1]):  # after pass d the first d entries are right
        mean, log_scale = _conditions(x, conditioner_fn)
        x, log_det = torch.addcmul(mean, z, log_scale.exp()), log_scale.sum(1)
    return x, log_det


def _standardized(x, mean, log_scale):
    return (x - mean) * log_scale.neg().exp(), -log_scale.sum(1)


def _conditions(x, conditioner_fn):
    mean, log_scale = conditioner_fn(x)
    for name, part in (("mean", mean), ("log_scale", log_scale)):
        shape = list(part.shape)
        require(
            shape == list(x.shape), f"conditioner_fn gives a {name} of shape {shape}; it must keep that of x, {list(x.shape)}"
        )
    require_finite_exponential(conditioner_fn=log_scale)
    return mean, log_scale


class MAF(nn.Module):
    """Masked networks, each in the reversed order of the one before: [B, D] -> z [B, D], log_det [B].

    Their last layers begin at zero, and the flow at the identity, up to the order of the variables. bound: of the log-scales.

    Raises ValueError if bound is not positive, or above MOST_BOUND.
    """

    def __init__(self, *, dim, layers, hidden, bound):
        super().__init__()
        require(0 < bound <= MOST_BOUND, f"bound is {bound}; it must be positive, and at most {MOST_BOUND}: e^bound is a float32")
        self.bound = bound
        sizes = (dim, *hidden, 2 * dim)
        self.networks = nn.ModuleList(perceptron(*sizes, activation=nn.ReLU) for _ in range(layers))
        for network in self.networks:
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)
        self.degrees = _degrees(dim, hidden)
        for number, mask in enumerate(_masks(self.degrees)):
            self.register_buffer(f"mask_{number}", mask, persistent=False)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        total = 0.0
        for network in self.networks:
            mean, log_scale = self._conditions(network, x)
            z, log_det = _standardized(x, mean, log_scale)  # of a bounded log-scale, whose exponential is finite
            x, total = z.flip(1), total + log_det
        return x, total

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        total = 0.0
        for network in reversed(self.networks):
            z, log_det = self._restored(network, z.flip(1))
            total = total + log_det
        return z, total

    def _restored(self, network, z):
        return _restored(network, self.degrees, z, lambda raw: bounded_log_scale(raw, bound=self.bound))

    def _conditions(self, network, y):
        """The mean and the log-scale of every entry given those before it."""
        mean, raw = _answers(network, [getattr(self, f"mask_{number}") for number in range(len(self.degrees) - 1)], y)
        return mean, bounded_log_scale(raw, bound=self.bound)


class PublishedMAF(nn.Module):
    """MAF as published: batch normalization behind every masked network; [B, D] -> z [B, D], log_det [B].

    A network gives the mean and the logarithm of the precision of every entry, without a bound. The degrees of hidden units take
    turns, or are drawn, in every run alike. `decay` is that of the averages by which evaluation and inverse normalize.
    """

    def __init__(self, *, dim, layers, hidden, drawn_degrees, decay):
        super().__init__()
        self.networks = nn.ModuleList(perceptron(dim, *hidden, 2 * dim, activation=nn.ReLU) for _ in range(layers))
        self.norms = nn.ModuleList(BatchNormalization(dim, decay=decay, eps=1e-5) for _ in range(layers))
        for layer in (layer for network in self.networks for layer in network if isinstance(layer, nn.Linear)):
            nn.init.normal_(layer.weight, std=(layer.in_features + 1) ** -0.5)
            nn.init.zeros_(layer.bias)
        drawing = random.Random(0)
        own = [drawing] * layers if drawn_degrees else [None]  # degrees in turns are the same in all networks
        self.degrees = [_degrees(dim, hidden, draws) for draws in own]
        for place, degrees in enumerate(self.degrees):
            for number, mask in enumerate(_masks(degrees)):
                self.register_buffer(f"mask_{place}_{number}", mask, persistent=False)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        total = 0.0
        for layer, norm in enumerate(self.norms):
            z, of_network = forward(x, lambda y, layer=layer: self._conditions(layer, y))
            z, of_norm = norm(z)
            x, total = z.flip(1), total + of_network + of_norm
        return x, total

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        total = 0.0
        for layer in reversed(range(len(self.networks))):
            z, of_norm = self.norms[layer].inverse(z.flip(1))
            degrees = self.degrees[layer % len(self.degrees)]
            z, of_network = _restored(self.networks[layer], degrees, z, _of_log_precision)
            total = total + of_norm + of_network
        return z, total

    def penalized(self):
        """What an L2 penalty is of: all parameters."""
        return self.parameters()

    def _conditions(self, layer, y):
        place, network = layer % len(self.degrees), self.networks[layer]
        masks = [getattr(self, f"mask_{place}_{number}") for number in range(len(self.degrees[place]) - 1)]
        mean, raw = _answers(network, masks, y)
        return mean, _of_log_precision(raw)


def _of_log_precision(raw):
    return raw / -2


def _degrees(dim, hidden, drawing=None):
    """Degrees of a network's entries, hidden units layer by layer, and outputs: in turns, or drawn from those that see something.

    Source of the draws: the code of Papamakarios et al. 2017, from the least degree of the layer before to dim - 1.
    """
    order = list(range(1, dim + 1))
    degrees, most = [order], max(1, dim - 1)
    for width in hidden:
        least = min(min(degrees[-1]), most)
        degrees.append([drawing.randint(least, most) if drawing else 1 + unit % most for unit in range(width)])
    return [*degrees, 2 * order]


def _masks(degrees):
    """The mask of every layer of a network, as factors of its weights."""
    pairs = [(torch.tensor(below), torch.tensor(above)) for below, above in itertools.pairwise(degrees)]
    masks = [degrees_to_mask(*pair, strict=number == len(pairs)) for number, pair in enumerate(pairs, start=1)]
    return [mask.to(torch.get_default_dtype()) for mask in masks]


def _answers(network, masks, y):
    """What a masked network gives for every entry: two numbers, [B, D] each.

    The masked_linear of every layer, by a product with the mask, which is several times faster than a choice. It is the same
    because weights that are masked stay finite: they have no gradient.
    """
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    for number, (layer, mask) in enumerate(zip(linear, masks, strict=True)):
        y = functional.linear(y if number == 0 else y.relu_(), layer.weight * mask, layer.bias)
    return y.chunk(2, dim=1)


def _restored(network, degrees, z, log_scale_fn):
    """The result of MAF.inverse for one network, with every unit computed once, as soon as its inputs are known."""
    *hidden, last = (layer for layer in network if isinstance(layer, nn.Linear))
    rising = [sorted(range(len(of_layer)), key=of_layer.__getitem__) for of_layer in degrees[:-1]]
    by_degree = [
        (layer.weight[units][:, below], layer.bias[units])
        for layer, below, units in zip(hidden, rising, rising[1:], strict=False)
    ]
    weight, bias = last.weight[:, rising[-1]].unflatten(0, (2, -1)), last.bias.unflatten(0, (2, -1))
    known, log_scales = [z[:, :0] for _ in rising], []  # entries of x, and units of each hidden layer by rising degree
    for degree in range(z.shape[1]):  # of all entries so far
        for number, (into, offset) in enumerate(by_degree, start=1):
            ready = slice(known[number].shape[1], known[number].shape[1] + degrees[number].count(degree))
            seen = functional.linear(known[number - 1], into[ready, : known[number - 1].shape[1]], offset[ready])
            known[number] = torch.cat([known[number], seen.relu()], 1)
        mean, raw = functional.linear(known[-1], weight[:, degree, : known[-1].shape[1]], bias[:, degree]).unbind(1)
        log_scales.append(log_scale_fn(raw))
        entry = torch.addcmul(mean, z[:, degree], log_scales[-1].exp())
        known[0] = torch.cat([known[0], entry[:, None]], 1)
    return known[0], torch.stack(log_scales, 1).sum(1)
