"""Spectral normalization: weights divided by their largest singular value, which one product a step keeps up to date.

A weight is a matrix [M, N] that takes h: [N] to weight @ h: [M]; a kernel of a convolution, [out, in, ...], is flattened to
[out, in * ...].
"""

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_at_least, require_rank, require_shape, require_values
from practice_torch.networks.dcgan import pyramid


def power_iteration(weight, u, *, iterations=1):
    r"""v <- W^T u / |W^T u|, then u <- W v / |W v|, repeated: (u, v), which converge to the first singular vectors.

    Raises ValueError if u does not have an entry for each row of weight, weight^T u is zero, or iterations < 1.
    Source: Miyato et al. 2018, algorithm 1.
    [M, N], [M] -> [M], [N]
    """
    _require_matrix(weight=weight)
    require_shape(weight.shape[:1], u=u)
    require_at_least(1, iterations=iterations)
    image = weight.mT.mv(u)
    require_values("the largest entry of weight^T u", image.detach().abs().amax(), lambda a: a > 0, "positive: take another u")
    for turn in range(iterations):
        image = weight.mT.mv(u) if turn else image
        v = image / image.norm()
        u = weight.mv(v)
        u = u / u.norm()
    return u, v


def spectral_norm_estimate(weight, u, v):
    r"""u^T W v, an estimate of the largest singular value: from below, if |u| = |v| = 1.

    Raises ValueError if u does not have an entry for each row of weight, or v for each column.
    Source: Miyato et al. 2018, appendix A.
    [M, N], [M], [N] -> []
    """
    _require_matrix(weight=weight)
    require_shape(weight.shape[:1], u=u)
    require_shape(weight.shape[1:], v=v)
    return u.dot(weight.mv(v))


def spectral_norm(weight):
    r"""max |W h| / |h| over h, the largest singular value.

    Raises ValueError if weight has no entry.  Source: Golub & Van Loan 2013, section 2.4.
    [M, N] -> []
    """
    _require_matrix(weight=weight)
    return torch.linalg.matrix_norm(weight, 2)


def spectral_normalize(weight, u, v):
    r"""W / (u^T W v), with u and v constants: for the slope G of the result, that in W is G/s - <G, W> u v^T / s^2, s = u^T W v.

    Raises ValueError if u does not have an entry for each row of weight, or v for each column, or the estimate u^T weight v is
    not positive.
    Source: Miyato et al. 2018, sections 2.1 and 2.3.
    [M, N], [M], [N] -> [M, N]
    """
    estimate = spectral_norm_estimate(weight, u.detach(), v.detach())
    require_values("the estimate u^T weight v", estimate.detach(), lambda s: s > 0, "positive")
    return weight / estimate


def lipschitz_bound(weights):
    r"""The product of the largest singular values: a network of these layers, with 1-Lipschitz activations, stretches no more.

    The layers are given in the order in which they are applied.

    Raises ValueError if weights is empty, a weight has no entry, or a layer's columns are not as many as the rows before it.
    Source: Szegedy et al. 2014, section 4.3.
    ([...]) -> []
    """
    require(len(weights) > 0, "weights is empty; a network must have at least one layer")
    for layer, weight in enumerate(weights):
        _require_matrix(**{f"weights[{layer}]": weight})
        rows, columns = weights[layer - 1].shape[0] if layer else weight.shape[1], weight.shape[1]
        require(columns == rows, f"weights[{layer}] has {columns} columns; it must have {rows}, the rows of the layer before")
    return torch.stack([spectral_norm(weight) for weight in weights]).prod()


def _require_matrix(**weights):
    require_rank(2, **weights)
    for name, weight in weights.items():
        require(weight.numel() > 0, f"{name} has shape {list(weight.shape)}; it must have at least one entry")


# ---------------------------------------------------------------------------------------------------- the network


class NormalizedDiscriminator(nn.Module):
    """Images in [-1, 1] to logits of being real: convolutions and leaky rectifiers, every kernel spectrally normalized.

    iterations: steps of power iteration in a training call; in evaluation the vectors u are kept.

    [B, C, H, W] -> [B]
    """

    def __init__(self, *, shape, width, iterations=1):
        super().__init__()
        channels, *sides = shape
        widths, coarse = pyramid(sides, width)
        layers = [NormalizedConvolution((width, channels, 3, 3), iterations), nn.LeakyReLU(0.2)]
        for narrower, wider in itertools.pairwise(widths):
            layers += [NormalizedConvolution((wider, narrower, 4, 4), iterations, stride=2), nn.LeakyReLU(0.2)]
        last = NormalizedLinear((1, widths[-1] * math.prod(coarse)), iterations)
        self.layers = nn.Sequential(*layers, nn.Flatten(), last)

    def forward(self, images):
        """One logit an image."""
        return self.layers(images)[:, 0]

    def norms(self):
        """The largest singular value of every layer's matrix as it is now used, exactly: 1 where the estimate is right."""
        layers = [layer for layer in self.layers if isinstance(layer, Normalized)]
        return torch.stack([spectral_norm(layer.matrix().detach().float()) for layer in layers])


class Normalized(nn.Module):
    """A weight [out, in, ...] that is used divided by an estimate of its norm, and the vector u that power iteration keeps.

    The vectors at first are all alike: the weight is random, so they are not orthogonal to those that are looked for.
    """

    def __init__(self, shape, iterations):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(shape)), nn.Parameter(torch.zeros(shape[0]))
        nn.init.normal_(self.weight, 0.0, 0.02)
        self.iterations = iterations
        self.register_buffer("u", torch.full(shape[:1], shape[0] ** -0.5))

    def normalized(self):
        """The weight as it is used; in training after its steps of power iteration."""
        if self.training:
            with torch.no_grad():
                self.u.copy_(power_iteration(self.weight.flatten(1), self.u, iterations=self.iterations)[0])
        return self.matrix().view_as(self.weight)

    def matrix(self):
        """[out, in * ...], by u as it is, and v = W^T u / |W^T u|, with which the estimate is |W^T u|."""
        matrix, u = self.weight.flatten(1), self.u.clone()  # a copy: a later step must not change what the gradient needs
        with torch.no_grad():
            _, v = power_iteration(matrix, u)
        return spectral_normalize(matrix, u, v)


class NormalizedConvolution(Normalized):
    """A convolution with one pixel of padding."""

    def __init__(self, shape, iterations, *, stride=1):
        super().__init__(shape, iterations)
        self.stride = stride

    def forward(self, x):
        """[B, in, H, W] -> [B, out, H', W']."""
        return functional.conv2d(x, self.normalized(), self.bias, self.stride, padding=1)


class NormalizedLinear(Normalized):
    """A linear layer."""

    def forward(self, x):
        """[B, in] -> [B, out]."""
        return functional.linear(x, self.normalized(), self.bias)
