"""StyleGAN: modulated and demodulated convolutions, adaptive instance normalization, codes, and the path length penalty."""

import math

import torch
from torch.nn.functional import conv2d

from practice_torch.adversarial.progressive_growing import pixel_normalize
from practice_torch.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)


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
