"""The parts of a U-Net by their formulas; `UNet2d` in networks/ has the same parts on torch's kernels."""

import torch
from torch.nn import functional

from practice_torch.arguments import require, require_rank, require_shape
from practice_torch.autoregressive.attention import multi_head_attention
from practice_torch.latent.convolutional_vae import average_pool, nearest_upsample
from practice_torch.networks.time_embedding import sinusoidal_time_embedding as sinusoidal_time_embedding
from practice_torch.networks.unet import UNet2d as UNet2d


def group_norm(x, weight, bias, *, num_groups, epsilon=1e-5):
    r"""(x - mean) / sqrt(var + epsilon) * w_c + b_c, mean and biased variance over each group of C / num_groups channels.

    Channels are grouped in order. Half precision is normalized in float32, where squares do not overflow.

    Raises ValueError if num_groups does not divide C, or if weight or bias is not [C].  Source: Wu & He 2018, eq. 1-4.
    [B, C, ...], [C], [C] -> [B, C, ...]
    """
    require(x.ndim >= 2, f"x has shape {list(x.shape)}; it must have at least 2 axes")
    channels = x.shape[1]
    require(num_groups >= 1 and channels % num_groups == 0, f"num_groups is {num_groups}; it must divide the {channels} channels")
    require_shape((channels,), weight=weight, bias=bias)
    groups = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(1, (num_groups, -1)).flatten(2)
    centered = groups - groups.mean(-1, keepdim=True)
    variance = centered.square().mean(-1, keepdim=True)  # torch.var warns where there is no example
    normed = (centered * torch.rsqrt(variance + epsilon)).reshape(x.shape)
    return (normed * _per_channel(weight, x) + _per_channel(bias, x)).to(x.dtype)


def scale_shift_modulation(x, scale, shift):
    r"""x (1 + scale) + shift, a scale and a shift for every example and channel: scale 0 and shift 0 change nothing.

    Raises ValueError unless scale and shift are [B, C].  Source: Dhariwal & Nichol 2021, section 3, adaptive group norm.
    [B, C, ...], [B, C], [B, C] -> [B, C, ...]
    """
    require(x.ndim >= 2, f"x has shape {list(x.shape)}; it must have at least 2 axes")
    require_shape(x.shape[:2], scale=scale, shift=shift)
    return torch.addcmul(_per_channel(shift, x), x, 1 + _per_channel(scale, x))


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
    h = functional.silu(group_norm(x, norm1_weight, norm1_bias, num_groups=num_groups))
    h = functional.conv2d(h, conv1_weight, conv1_bias, padding=1)
    h = h + _per_channel(functional.linear(functional.silu(embedding), embed_weight, embed_bias), x)
    h = functional.silu(group_norm(h, norm2_weight, norm2_bias, num_groups=num_groups))
    return x + functional.conv2d(h, conv2_weight, conv2_bias, padding=1)


def spatial_self_attention(x, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    r"""x + W_O concat_h softmax(q_h k_h^T / sqrt(C / num_heads)) v_h: every pixel attends to every pixel, row by row in order.

    Raises ValueError if num_heads does not divide C, or if a matrix is not [C, C].  Source: Ho et al. 2020, appendix B;
    Vaswani et al. 2017, eq. 1.
    [B, C, H, W], [C, C], [C, C], [C, C], [C, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    channels = x.shape[1]
    require(num_heads >= 1 and channels % num_heads == 0, f"num_heads is {num_heads}; it must divide the {channels} channels")
    weights = dict(query_weight=query_weight, key_weight=key_weight, value_weight=value_weight, output_weight=output_weight)
    require_shape((channels, channels), **weights)
    tokens = x.flatten(2).transpose(1, 2)
    mixed = multi_head_attention(
        tokens, tokens, query_weight, key_weight, value_weight, output_weight, None, heads=num_heads, key_value_heads=num_heads
    )
    return x + mixed.transpose(1, 2).unflatten(2, x.shape[2:])


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


def _per_channel(values, x):
    """[C] or [B, C] -> the same, to be broadcast over the pixels of x."""
    return values.unflatten(-1, (-1,) + (1,) * (x.ndim - 2))
