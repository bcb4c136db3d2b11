"""Masked autoregressive flow: every variable is standardized given all earlier ones; masks keep a network to that order.

Forward is the way from data x to noise z.
"""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_integers, require_rank, require_same_shape, require_shape
from practice_torch.flows._coupling import require_finite_exponential
from practice_torch.flows.affine_coupling import bounded_log_scale
from practice_torch.networks.perceptron import perceptron


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

    conditioner_fn gives two arrays of the shape of x, whose entries d depend on x_1 .. x_(d-1) alone: nobody checks that.

    Raises ValueError if x has not two axes, conditioner_fn does not keep its shape, or e^|log_scale| overflows.
    Source: Papamakarios et al. 2017, eq. 4 and 5.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, x=x)
    mean, log_scale = _conditions(x, conditioner_fn)
    return (x - mean) * log_scale.neg().exp(), -log_scale.sum(1)


def inverse(z, conditioner_fn):
    r"""x_d = z_d e^log_scale_d + mean_d, one entry after the other, in D passes, and log |det dx/dz| = sum log_scale.

    Raises ValueError as forward does, of z in place of x.  Source: Papamakarios et al. 2017, eq. 3.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, z=z)
    x, log_det = torch.zeros_like(z), z.new_zeros(len(z))
    for _ in range(z.shape[1]):  # after pass d the first d entries are right, whatever the others are
        mean, log_scale = _conditions(x, conditioner_fn)
        x, log_det = torch.addcmul(mean, z, log_scale.exp()), log_scale.sum(1)
    return x, log_det


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

    Their last layers begin at zero, and the flow at the identity, up to the order of the variables.
    """

    def __init__(self, *, dimensions, layers, hidden, bound):
        super().__init__()
        self.bound = bound
        sizes = (dimensions, *hidden, 2 * dimensions)
        self.networks = nn.ModuleList(perceptron(*sizes, activation=nn.ReLU) for _ in range(layers))
        for network in self.networks:
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)
        order = 1 + torch.arange(dimensions)
        degrees = [order, *(1 + torch.arange(width) % max(1, dimensions - 1) for width in hidden), order.repeat(2)]
        for number, (below, above) in enumerate(zip(degrees, degrees[1:], strict=False)):
            mask = degrees_to_mask(below, above, strict=number == len(hidden))
            self.register_buffer(f"mask_{number}", mask, persistent=False)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        total = 0.0
        for network in self.networks:
            z, log_det = forward(x, lambda y, network=network: self._conditions(network, y))
            x, total = z.flip(1), total + log_det
        return x, total

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        total = 0.0
        for network in reversed(self.networks):
            z, log_det = inverse(z.flip(1), lambda y, network=network: self._conditions(network, y))
            total = total + log_det
        return z, total

    def _conditions(self, network, y):
        """The mean and the log-scale of every entry given those before it."""
        linear = [layer for layer in network if isinstance(layer, nn.Linear)]
        for number, layer in enumerate(linear):
            y = masked_linear(y if number == 0 else y.relu(), layer.weight, layer.bias, getattr(self, f"mask_{number}"))
        mean, raw = y.chunk(2, dim=1)
        return mean, bounded_log_scale(raw, bound=self.bound)
