"""StyleGAN: styles that scale channels, normalization by features or by weights, and codes that are mixed and truncated.

Local names: s is a style, one gain for each channel of the input; w is a code, the output of the mapping network, J the Jacobian
of the images with respect to it.
"""

import math

import jax.numpy as jnp

from theory_jax.adversarial.progressive_growing import pixel_normalize
from theory_jax.arguments import (
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
    (batch, channels, *sides), (outputs, _, *places) = x.shape, weight.shape
    require_shape((outputs, channels, *places), weight=weight)
    require_shape((batch, channels), style=style)
    require_at_least(0, padding=padding)
    require_positive(epsilon=epsilon)
    ends = [side + 2 * padding - place + 1 for side, place in zip(sides, places, strict=True)]
    fits = min(places) > 0 and min(ends) > 0
    require(fits, f"weight has shape {list(weight.shape)}; its kernel must fit into {sides} pixels with padding {padding}")
    kernels = weight * style[:, None, :, None, None]  # one for each example, [B, O, C, K, L]
    if demodulate:
        kernels = kernels / jnp.sqrt(jnp.sum(kernels**2, axis=(2, 3, 4), keepdims=True) + epsilon)
    padded = jnp.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return sum(
        jnp.einsum("boc,bchw->bohw", kernels[..., k, m], padded[:, :, k : k + ends[0], m : m + ends[1]])
        for k in range(places[0])
        for m in range(places[1])
    )


def adaptive_instance_normalization(x, scale, shift, *, epsilon=1e-5):
    r"""scale (x - mean) / sqrt(var + epsilon) + shift, with mean and var (1/N) over the N = H W pixels of an example's channel.

    Raises ValueError if x does not have four axes, scale or shift does not have its examples and channels, a channel has one
    pixel, or epsilon <= 0.  Source: Huang & Belongie 2017, eq. 8; Karras et al. 2019, eq. 1.
    [B, C, H, W], [B, C], [B, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require_shape(x.shape[:2], scale=scale, shift=shift)
    require(math.prod(x.shape[2:]) > 1, f"x has shape {list(x.shape)}; a channel must have at least 2 pixels for a variance")
    require_positive(epsilon=epsilon)
    centered = x - jnp.mean(x, axis=(2, 3), keepdims=True)
    variance = jnp.mean(centered**2, axis=(2, 3), keepdims=True)
    return scale[:, :, None, None] * (centered / jnp.sqrt(variance + epsilon)) + shift[:, :, None, None]


def normalize_latent_code(z, *, epsilon=1e-8):
    r"""z / sqrt(mean of z^2 + epsilon) for each example: pixel normalization of a latent, before the mapping network.

    Raises ValueError if z does not have two axes or no entries, or epsilon <= 0.  Source: Karras et al. 2019, appendix C.
    [B, L] -> [B, L]
    """
    require_rank(2, z=z)
    require(z.shape[1] > 0, f"z has shape {list(z.shape)}; it must have at least one entry")
    return pixel_normalize(z[:, :, None, None], epsilon=epsilon)[:, :, 0, 0]


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
    return jnp.concatenate([w_a[:, :crossover], w_b[:, crossover:]], axis=1)


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
    squared = jnp.sum(jacobian_vector**2, axis=1)
    some = squared > 0  # the root has an infinite slope at zero
    length = jnp.where(some, jnp.sqrt(jnp.where(some, squared, 1.0)), 0.0)
    return (length - running_length) ** 2
