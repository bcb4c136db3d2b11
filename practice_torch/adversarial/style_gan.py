"""StyleGAN: modulated and demodulated convolutions, adaptive instance normalization, codes, and the path length penalty."""

import itertools
import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu, linear

from practice_torch.adversarial.minibatch_discrimination import minibatch_standard_deviation
from practice_torch.adversarial.progressive_growing import equalized_weight, pixel_normalize
from practice_torch.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from practice_torch.networks.dcgan import pyramid


def modulated_convolution(x, weight, style, *, demodulate=True, padding=1, epsilon=1e-8):
    r"""Each example is convolved with its own kernel: weight s, divided per output channel by sqrt(sum (weight s)^2 + epsilon).

    The sum is over the input channels and the places of the kernel; without `demodulate` nothing is divided. P = H + 2 padding -
    K + 1, Q = W + 2 padding - L + 1.

    Raises ValueError if x or weight does not have four axes, weight or style does not have the channels of x, the kernel is empty
    or larger than the padded image, padding is negative or epsilon <= 0.  Source: Karras et al. 2020, eq. 1 and 3.
    [B, C, H, W], [O, C, K, L], [B, C] -> [B, O, P, Q]
    """
    require_rank(4, x=x, weight=weight)
    batch, channels, height, width = x.shape
    outputs, _, rows, columns = weight.shape
    require_shape((outputs, channels, rows, columns), weight=weight)
    require_shape((batch, channels), style=style)
    require_at_least(0, padding=padding)
    require_positive(epsilon=epsilon)
    fits = 1 <= rows <= height + 2 * padding and 1 <= columns <= width + 2 * padding
    pixels = [height, width]
    require(fits, f"weight has shape {list(weight.shape)}; its kernel must fit into {pixels} pixels with padding {padding}")
    # One kernel for the whole batch: the gains are applied to the input, and the divisors to the output.
    found = conv2d(x * style[:, :, None, None], weight, padding=padding)
    if not demodulate:
        return found
    squared_lengths = style.square() @ weight.square().sum(dim=(2, 3)).T  # [B, O]
    return found * (squared_lengths + epsilon).rsqrt()[:, :, None, None]


def adaptive_instance_normalization(x, scale, shift, *, epsilon=1e-5):
    r"""scale (x - mean) / sqrt(var + epsilon) + shift, with mean and var (1/N) over the N = H W pixels of an example's channel.

    Raises ValueError if x does not have four axes, scale or shift does not have its examples and channels, a channel has one
    pixel, or epsilon <= 0.  Source: Huang & Belongie 2017, eq. 8; Karras et al. 2019, eq. 1.
    [B, C, H, W], [B, C], [B, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require_shape(x.shape[:2], scale=scale, shift=shift)
    require(x.shape[2:].numel() > 1, f"x has shape {list(x.shape)}; a channel must have at least 2 pixels for a variance")
    require_positive(epsilon=epsilon)
    centered = x - x.mean(dim=(2, 3), keepdim=True)
    inverse_deviation = (centered.square().mean(dim=(2, 3)) + epsilon).rsqrt()
    return torch.addcmul(shift[:, :, None, None], (scale * inverse_deviation)[:, :, None, None], centered)


def normalize_latent_code(z, *, epsilon=1e-8):
    r"""z / sqrt(mean of z^2 + epsilon) for each example: pixel normalization of a latent, before the mapping network.

    Raises ValueError if z does not have two axes or no entries, or epsilon <= 0.  Source: Karras et al. 2019, appendix C.
    [B, L] -> [B, L]
    """
    require_rank(2, z=z)
    require(z.shape[1] > 0, f"z has shape {list(z.shape)}; it must have at least one entry")
    return pixel_normalize(z[:, :, None, None], epsilon=epsilon).flatten(1)


def truncate_latent(w, mean_w, *, psi):
    r"""mean_w + psi (w - mean_w): a code is moved towards the mean of all codes; 0 < psi < 1 pays variety for typical images.

    Raises ValueError if w does not have two axes, mean_w does not have the shape of one code, or psi is not finite.
    Source: Karras et al. 2019, appendix B.
    [B, L], [L] -> [B, L]
    """
    require_rank(2, w=w)
    require_shape(w.shape[1:], mean_w=mean_w)
    require(math.isfinite(psi), f"psi is {psi}; it must be finite")
    return mean_w + psi * (w - mean_w)


def mix_styles(w_a, w_b, *, crossover):
    r"""The codes of two images, one for each layer: those of w_a in the first `crossover` layers, those of w_b in the rest.

    Raises ValueError if w_a does not have three axes, w_b another shape, or crossover is not in 0..N.
    Source: Karras et al. 2019, section 3.1.
    [B, N, L], [B, N, L] -> [B, N, L]
    """
    require_rank(3, w_a=w_a)
    require_same_shape(w_a=w_a, w_b=w_b)
    layers = w_a.shape[1]
    require(0 <= crossover <= layers, f"crossover is {crossover}; it must be in 0..{layers}, the number of layers")
    of_a = torch.arange(layers, device=w_a.device) < crossover
    return torch.where(of_a[:, None], w_a, w_b)


def path_length_penalty(jacobian_vector, running_length):
    r"""(|J^T y| - a)^2 for each example: J^T y = grad_w <G(w), y> for an image y of noise, a the running mean of its length.

    A vector of length zero has no direction, and gets no gradient.

    Raises ValueError if jacobian_vector does not have two axes, or running_length is no single number or negative.
    Source: Karras et al. 2020, eq. 4.
    [B, L], [] -> [B]
    """
    require_rank(2, jacobian_vector=jacobian_vector)
    require_rank(0, running_length=running_length)
    require_values("running_length", running_length, lambda a: a >= 0, "at least 0")
    return (torch.linalg.vector_norm(jacobian_vector, dim=1) - running_length).square()  # a zero vector's norm has the slope zero


# ---------------------------------------------------------------------------------------------------- the networks


class MappingNetwork(nn.Module):
    """Latents to codes: normalized, then dense layers with leaky rectifiers.

    [B, latent] -> [B, latent]
    """

    def __init__(self, *, latent, layers):
        super().__init__()
        self.layers = nn.ModuleList(_Dense(latent, latent) for _ in range(layers))

    def forward(self, z):
        """The codes."""
        u = normalize_latent_code(z)
        for layer in self.layers:
            u = _activated(layer(u))
        return u


class SynthesisNetwork(nn.Module):
    """Codes, one for each layer, and noise, one number for each pixel of each layer, to images: the sum of those of all sizes.

    [B, num_codes, latent], [B, noise_size] -> [B, C, H, W]
    """

    def __init__(self, *, latent, shape, width, most_channels):
        super().__init__()
        channels, *sides = shape
        widths, coarse = _widths(sides, width, most_channels)
        self.start = nn.Parameter(torch.randn(widths[0], *coarse))
        layers, to_images, self.grids = [_Styled(widths[0], widths[0], latent)], [_Shown(widths[0], channels, latent)], [coarse]
        for wider, narrower in itertools.pairwise(widths):
            layers += [_Styled(wider, narrower, latent, doubling=True), _Styled(narrower, narrower, latent)]
            to_images.append(_Shown(narrower, channels, latent))
            self.grids += 2 * [tuple(2 * side for side in self.grids[-1])]
        self.layers, self.to_images = nn.ModuleList(layers), nn.ModuleList(to_images)
        self.num_codes, self.noise_size = len(layers) + 1, sum(map(math.prod, self.grids))

    def forward(self, codes, noise):
        """The images."""
        grids = zip(noise.split([math.prod(grid) for grid in self.grids], dim=1), self.grids, strict=True)
        x, images = self.start[None].repeat(len(codes), 1, 1, 1), 0.0
        for number, (layer, (values, grid)) in enumerate(zip(self.layers, grids, strict=True)):
            x = layer(x, codes[:, number], values.unflatten(1, (1, *grid)))
            if number % 2 == 0:  # the last layer of its size
                images = (_doubled(images) if number else 0.0) + self.to_images[number // 2](x, codes[:, number + 1])
        return images


class ResidualCritic(nn.Module):
    """Images to scores: residual blocks that halve them, with weights that are scaled at run time; groups of four images, or of
    two where four do not divide the batch, share the standard deviation of their features.

    [B, C, H, W] -> [B]
    """

    def __init__(self, *, shape, width, most_channels):
        super().__init__()
        channels, *sides = shape
        widths, coarse = _widths(sides, width, most_channels)
        widths.reverse()
        self.from_image = _Convolution(channels, widths[0], 1)
        self.blocks = nn.ModuleList(_Block(*pair) for pair in itertools.pairwise(widths))
        self.last = _Convolution(widths[-1] + 1, widths[-1], 3)
        self.hidden, self.score = _Dense(widths[-1] * math.prod(coarse), widths[-1]), _Dense(widths[-1], 1)

    def forward(self, images):
        """One score an image."""
        x = _activated(self.from_image(images))
        for block in self.blocks:
            x = block(x)
        x = _activated(self.last(minibatch_standard_deviation(x, group_size=math.gcd(len(x), 4))))
        return self.score(_activated(self.hidden(x.flatten(1))))[:, 0]


class _Dense(nn.Module):
    """A layer whose weights begin as N(0, 1) and are scaled at run time."""

    def __init__(self, inputs, outputs, bias=0.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.full((outputs,), bias))

    def forward(self, x):
        return linear(x, equalized_weight(self.weight, gain=1.0), self.bias)


class _Convolution(nn.Module):
    """Likewise, with a kernel of this many pixels in each direction, an odd number."""

    def __init__(self, inputs, outputs, size):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs, size, size)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return conv2d(x, equalized_weight(self.weight, gain=1.0), self.bias, padding=self.weight.shape[2] // 2)


class _Styled(nn.Module):
    """A modulated convolution, after the image is doubled or not; noise of one strength for all pixels; a leaky rectifier."""

    def __init__(self, inputs, outputs, latent, doubling=False):
        super().__init__()
        self.doubling, self.style = doubling, _Dense(latent, inputs, bias=1.0)
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs, 3, 3)), nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x, code, noise):
        found = modulated_convolution(_doubled(x) if self.doubling else x, self.weight, self.style(code))
        return _activated(found + self.strength * noise + self.bias[:, None, None])


class _Shown(nn.Module):
    """Features to an image, by a modulated kernel of one pixel that is not demodulated."""

    def __init__(self, inputs, channels, latent):
        super().__init__()
        self.style = _Dense(latent, inputs, bias=1.0)
        self.weight, self.bias = nn.Parameter(torch.randn(channels, inputs, 1, 1)), nn.Parameter(torch.zeros(channels))

    def forward(self, x, code):
        weight = equalized_weight(self.weight, gain=1.0)
        return modulated_convolution(x, weight, self.style(code), demodulate=False, padding=0) + self.bias[:, None, None]


class _Block(nn.Module):
    """Two convolutions and a halving, next to a halving and a kernel of one pixel."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.second = _Convolution(inputs, inputs, 3), _Convolution(inputs, outputs, 3)
        self.past = _Convolution(inputs, outputs, 1)

    def forward(self, x):
        changed = avg_pool2d(_activated(self.second(_activated(self.first(x)))), 2)
        return (changed + self.past(avg_pool2d(x, 2))) * 0.5**0.5


def _widths(sides, width, most_channels):
    """Channels from coarse to fine, and the coarsest sides."""
    widths, coarse = pyramid(sides, width)
    return [min(channels, most_channels) for channels in reversed(widths)], coarse


def _activated(x):
    """A leaky rectifier that keeps the mean square, nearly."""
    return 2**0.5 * leaky_relu(x, 0.2)


def _doubled(x):
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
