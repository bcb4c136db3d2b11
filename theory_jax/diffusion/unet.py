"""The parts of a U-Net: time as rotations, norms of groups, residual blocks, attention over pixels, halving and doubling.

`UNet2d` in networks/ is the whole, as a flax network.
"""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_rank, require_shape
from theory_jax.autoregressive.attention import multi_head_attention
from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.latent.convolutional_vae import average_pool, nearest_upsample
from theory_jax.networks.time_embedding import sinusoidal_time_embedding as sinusoidal_time_embedding
from theory_jax.networks.unet import UNet2d as UNet2d


def group_norm(x, weight, bias, *, num_groups, epsilon=1e-5):
    r"""(x - mean) / sqrt(var + epsilon) * w_c + b_c, mean and biased variance over each group of C / num_groups channels.

    Channels are grouped in order. Each group is layer-normed as one long vector; gain and shift belong to the channels.

    Raises ValueError if num_groups does not divide C, or if weight or bias is not [C].  Source: Wu & He 2018, eq. 1-4.
    [B, C, ...], [C], [C] -> [B, C, ...]
    """
    require(jnp.ndim(x) >= 2, f"x has shape {list(jnp.shape(x))}; it must have at least 2 axes")
    channels, *pixels = x.shape[1:]
    divides = num_groups >= 1 and channels % num_groups == 0
    require(divides, f"num_groups is {num_groups}; it must divide the number of channels, {channels}")
    require_shape((channels,), weight=weight, bias=bias)
    width = channels // num_groups * math.prod(pixels)
    groups = x.reshape(-1, num_groups, width)
    normed = layer_norm(groups, jnp.ones(width, x.dtype), jnp.zeros(width, x.dtype), epsilon=epsilon).reshape(x.shape)
    ones = [1] * len(pixels)
    return normed * weight.reshape(-1, *ones) + bias.reshape(-1, *ones)


def scale_shift_modulation(x, scale, shift):
    r"""x (1 + scale) + shift, a scale and a shift for every example and channel: scale 0 and shift 0 change nothing.

    Raises ValueError unless scale and shift are [B, C].  Source: Dhariwal & Nichol 2021, section 3, adaptive group norm.
    [B, C, ...], [B, C], [B, C] -> [B, C, ...]
    """
    require(jnp.ndim(x) >= 2, f"x has shape {list(jnp.shape(x))}; it must have at least 2 axes")
    require_shape(x.shape[:2], scale=scale, shift=shift)
    pixels = tuple(range(2, jnp.ndim(x)))
    scale, shift = jnp.expand_dims(scale, pixels), jnp.expand_dims(shift, pixels)
    return x + x * scale + shift


def residual_block(
    x,
    embedding,
    norm1_weight,
    norm1_bias,
    conv1_weight,
    conv1_bias,
    embed_weight,
    embed_bias,
    norm2_weight,
    norm2_bias,
    conv2_weight,
    conv2_bias,
    *,
    num_groups,
):
    r"""x + conv_2(SiLU(GN_2(h))) with h = conv_1(SiLU(GN_1(x))) + W SiLU(embedding) + b.

    Convolutions are 3x3 cross-correlations with zero padding; GN is group_norm with its own epsilon, 1e-5.

    Raises ValueError if the shapes do not fit, or if num_groups does not divide C.  Source: Ho et al. 2020, appendix B.
    [B, C, H, W], [B, E], [C], [C], [C, C, 3, 3], [C], [C, E], [C], [C], [C], [C, C, 3, 3], [C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require_rank(2, embedding=embedding)
    (batch, channels), width = x.shape[:2], embedding.shape[1]
    require_shape((batch, width), embedding=embedding)
    require_shape((channels, channels, 3, 3), conv1_weight=conv1_weight, conv2_weight=conv2_weight)
    require_shape((channels, width), embed_weight=embed_weight)
    require_shape(
        (channels,),
        norm1_weight=norm1_weight,
        norm1_bias=norm1_bias,
        conv1_bias=conv1_bias,
        embed_bias=embed_bias,
        norm2_weight=norm2_weight,
        norm2_bias=norm2_bias,
        conv2_bias=conv2_bias,
    )
    time = jax.nn.silu(embedding) @ embed_weight.T + embed_bias
    h = jax.nn.silu(group_norm(x, norm1_weight, norm1_bias, num_groups=num_groups))
    h = _convolution(h, conv1_weight, conv1_bias) + time[:, :, None, None]
    h = jax.nn.silu(group_norm(h, norm2_weight, norm2_bias, num_groups=num_groups))
    return x + _convolution(h, conv2_weight, conv2_bias)


def _convolution(x, weight, bias):
    """y_o = b_o + sum_(c, i, j) w_ocij x_c shifted by (i - 1, j - 1): nine shifted images, one product."""
    height, width = x.shape[2:]
    padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = jnp.stack([padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=2)
    return jnp.einsum("ocs,bcshw->bohw", weight.reshape(*weight.shape[:2], 9), shifted) + bias[:, None, None]


def spatial_self_attention(x, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    r"""x + W_O concat_h softmax(q_h k_h^T / sqrt(C / num_heads)) v_h: every pixel attends to every pixel, row by row in order.

    Raises ValueError if num_heads does not divide C, or if a matrix is not [C, C].  Source: Ho et al. 2020, appendix B;
    Vaswani et al. 2017, eq. 1.
    [B, C, H, W], [C, C], [C, C], [C, C], [C, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    divides = num_heads >= 1 and channels % num_heads == 0
    require(divides, f"num_heads is {num_heads}; it must divide the number of channels, {channels}")
    weights = dict(query_weight=query_weight, key_weight=key_weight, value_weight=value_weight, output_weight=output_weight)
    require_shape((channels, channels), **weights)
    tokens = jnp.moveaxis(x, 1, -1).reshape(batch, height * width, channels)
    mixed = multi_head_attention(tokens, tokens, *weights.values(), None, heads=num_heads, key_value_heads=num_heads)
    return x + jnp.moveaxis(mixed.reshape(batch, height, width, channels), -1, 1)


def downsample_average(x):
    r"""The mean of every 2 x 2 block of pixels.

    Raises ValueError if height or width of x is odd.  Source: Dhariwal & Nichol 2021, with average pooling in the blocks.
    [B, C, H, W] -> [B, C, H/2, W/2]
    """
    return average_pool(x, window=2)


def upsample_nearest(x):
    r"""Every pixel as a 2 x 2 block.

    Raises ValueError unless x has four axes.  Source: Ho et al. 2020, appendix B.
    [B, C, H, W] -> [B, C, 2*H, 2*W]
    """
    return nearest_upsample(x, factor=2)
