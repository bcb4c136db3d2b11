"""Layers from a latent vector to an image: convolutions, their transposes, and where checkerboards come from."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from theory_jax.arguments import require, require_at_least, require_rank, require_shape


def convolution2d(x, weight, bias, *, stride=1, padding=0):
    r"""y_oij = bias_o + sum_cab weight_ocab x_c(s i + a - p)(s j + b - p), s = stride, p = padding: x is 0 outside of its pixels.

    The kernel is not turned over, as networks have it. P = floor((H + 2 p - h) / s) + 1, and Q likewise of W and w.

    Raises ValueError if x or weight has not 4 axes, weight has other channels than x or a kernel larger than the padded image,
    bias is not [O], stride is below 1 or padding below 0.  Source: Dumoulin & Visin 2016, relationship 6.
    [B, C, H, W], [O, C, h, w], [O] -> [B, O, P, Q]
    """
    _require_kernel(0, x, weight, bias, stride, padding)
    outputs = [(side + 2 * padding - length) // stride + 1 for side, length in zip(x.shape[2:], weight.shape[2:], strict=True)]
    too_large = f"weight has kernels of {list(weight.shape[2:])}; they must fit into the padded image of"
    require(min(outputs) >= 1, f"{too_large} {[side + 2 * padding for side in x.shape[2:]]}")
    padded = jnp.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows, columns = (stride * (count - 1) + 1 for count in outputs)
    # one strided image for each place of the kernel, and one product
    seen = jnp.stack(
        [padded[:, :, a : a + rows : stride, b : b + columns : stride] for a, b in np.ndindex(weight.shape[2:])], axis=2
    )
    return jnp.einsum("ocs,bcsij->boij", weight.reshape(*weight.shape[:2], -1), seen) + bias[:, None, None]


def transposed_convolution2d(x, weight, bias, *, stride=1, padding=0):
    r"""y_ouv = bias_o + sum of weight_coab x_cij over all i, j, a, b with s i + a - p = u and s j + b - p = v.

    The gradient of convolution2d by its image, for the same array of weights. P = (H - 1) s - 2 p + h, and Q likewise.

    Raises ValueError if x or weight has not 4 axes, weight has not a first axis of x's channels, bias is not [O], stride is
    below 1, padding below 0, or so large that nothing is left.  Source: Dumoulin & Visin 2016, relationship 14.
    [B, C, H, W], [C, O, h, w], [O] -> [B, O, P, Q]
    """
    _require_kernel(1, x, weight, bias, stride, padding)
    whole = [(side - 1) * stride + length for side, length in zip(x.shape[2:], weight.shape[2:], strict=True)]
    left = f"padding is {padding}; it must leave a pixel of the {whole[0]} x {whole[1]} that are made"
    require(min(whole) > 2 * padding, left)
    outputs = jnp.einsum("cokl,bcij->klboij", weight, x)
    spread = 0.0
    for a, b in np.ndindex(weight.shape[2:]):  # products are `stride` apart, shifted by the place in the kernel
        holes = [(at, length - 1 - at, stride - 1) for at, length in ((a, weight.shape[2]), (b, weight.shape[3]))]
        spread = spread + lax.pad(outputs[a, b], jnp.zeros((), outputs.dtype), [(0, 0, 0), (0, 0, 0), *holes])
    kept = [slice(padding, side - padding) for side in whole]
    return spread[:, :, *kept] + bias[:, None, None]


def nearest_upsample(x, *, factor):
    r"""Every pixel as a block of factor x factor pixels: P = factor H, Q = factor W.

    Raises ValueError unless x has 4 axes and factor is at least 1.  Source: Odena, Dumoulin & Olah 2016.
    [B, C, H, W] -> [B, C, P, Q]
    """
    require_rank(4, x=x)
    require_at_least(1, factor=factor)
    return jnp.repeat(jnp.repeat(x, factor, axis=2), factor, axis=3)


def average_pool(x, *, window):
    r"""The mean of every block of window x window pixels: P = H / window, Q = W / window.

    Raises ValueError unless x has 4 axes, and window is at least 1 and divides height and width.
    Source: LeCun et al. 1998, section II.
    [B, C, H, W] -> [B, C, P, Q]
    """
    require_rank(4, x=x)
    require_at_least(1, window=window)
    height, width = x.shape[2:]
    fits = height % window == 0 and width % window == 0
    require(fits, f"x is {height} x {width}; its sides must be multiples of the window, {window}")
    return jnp.mean(x.reshape(*x.shape[:2], height // window, window, width // window, window), axis=(3, 5))


def _require_kernel(outputs, x, weight, bias, stride, padding):
    """weight has x's channels on one of its first two axes, and the bias's on the other, `outputs`."""
    require_rank(4, x=x, weight=weight)
    channels = (weight.shape[0], x.shape[1]) if outputs == 0 else (x.shape[1], weight.shape[1])
    require_shape((*channels, *weight.shape[2:]), weight=weight)
    require_shape(weight.shape[outputs : outputs + 1], bias=bias)
    require_at_least(1, stride=stride)
    require_at_least(0, padding=padding)
