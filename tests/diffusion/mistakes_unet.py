"""Wrong forms of a U-Net's parts that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import scaled_dot_product_attention
from practice_torch.diffusion import unet as right
from tests.support.mistakes import Mistake


def _time(t, *, dim, max_period=10000.0, order="sines first", divisor=-1, turn=1.0):
    half = dim // 2
    t = t if t.is_floating_point() else t.to(torch.get_default_dtype())
    frequencies = max_period ** (-torch.arange(half, dtype=t.dtype) / max(half + divisor, 1))
    angles = turn * t[:, None] * frequencies
    sines, cosines = angles.sin(), angles.cos()
    if order == "in turn":
        return torch.stack([sines, cosines], -1).flatten(1)
    return torch.cat([sines, cosines] if order == "sines first" else [cosines, sines], 1)


def _norm(
    x, weight, bias, *, num_groups, epsilon=1e-5, correction=0, outside=False, slow=True, two_passes=True, bias_first=False
):
    groups = x.unflatten(1, (num_groups, -1) if slow else (-1, num_groups))
    axes = tuple(i for i in range(1, groups.ndim) if i != (1 if slow else 2))
    mean = groups.mean(axes, keepdim=True)
    if two_passes:
        count = groups.numel() // len(x) // num_groups
        variance = (groups - mean).square().sum(axes, keepdim=True) / max(count - correction, 1)
    else:
        variance = groups.square().mean(axes, keepdim=True) - mean.square()
    normed = ((groups - mean) / (variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt())).flatten(1, 2)
    if bias_first:
        return (normed + _wide(bias, x)) * _wide(weight, x)
    return normed * _wide(weight, x) + _wide(bias, x)


def _wide(values, x):
    return values.reshape(*values.shape, *[1] * (x.ndim - 2))


def _block(
    x, embedding, norm1_weight, norm1_bias, conv1_weight, conv1_bias, embed_weight, embed_bias, norm2_weight, norm2_bias,
    conv2_weight, conv2_bias, *, num_groups, late=False, active=True, skip=True, mode="constant", kernel=lambda w: w, silu=True,
    normed_skip=False, forward=lambda h: h, bias=True,
):  # fmt: skip
    def convolution(h, weight, bias):
        padded = functional.pad(h, (1, 1, 1, 1), mode=mode)
        return functional.conv2d(padded, kernel(weight), bias)

    def activation(h):
        return functional.silu(h) if silu else functional.gelu(h)

    time = functional.linear(activation(embedding) if active else embedding, embed_weight, embed_bias if bias else None)
    first = right.group_norm(x, norm1_weight, norm1_bias, num_groups=num_groups)
    h = convolution(activation(first), conv1_weight, conv1_bias)
    h = h if late else h + _wide(time, x)
    h = right.group_norm(h, norm2_weight, norm2_bias, num_groups=num_groups)
    h = h + _wide(time, x) if late else h
    h = convolution(activation(forward(h)), conv2_weight, conv2_bias)
    return h + (first if normed_skip else x) if skip else h


def _attend(
    x, query_weight, key_weight, value_weight, output_weight, *, num_heads, scale="head", transposed=True, skip=True,
    split="slow", columns=False, axis=-1,
):  # fmt: skip
    batch, channels = x.shape[:2]
    x_seen = x.transpose(2, 3) if columns else x
    tokens = x_seen.flatten(2).transpose(1, 2) if transposed else x.reshape(batch, -1, channels)

    def heads(weight):
        out = functional.linear(tokens, weight)
        parts = out.unflatten(-1, (num_heads, -1)) if split == "slow" else out.unflatten(-1, (-1, num_heads)).transpose(-1, -2)
        return parts.transpose(1, 2)

    query, key, value = map(heads, (query_weight, key_weight, value_weight))
    width = {"head": channels // num_heads, "model": channels, "none": 1}[scale]
    weights = (query @ key.transpose(-1, -2) / math.sqrt(width)).softmax(axis)
    mixed = functional.linear((weights @ value).transpose(1, 2).flatten(2), output_weight)
    # with columns the result is written back row by row, although it was read column by column
    out = mixed.transpose(1, 2).reshape(x.shape) if transposed else mixed.reshape(x.shape)
    return x + out if skip else out


def _zeros_between(x):
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, ::2, ::2] = x
    return out


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("sinusoidal_time_embedding", "cosines first", _wrong(_time, order="cosines first")),
    Mistake("sinusoidal_time_embedding", "divisor dim/2", _wrong(_time, divisor=0)),
    Mistake("sinusoidal_time_embedding", "sines and cosines in turn", _wrong(_time, order="in turn")),
    Mistake("sinusoidal_time_embedding", "turns for radians", _wrong(_time, turn=2 * math.pi)),
    Mistake("sinusoidal_time_embedding", "times as whole numbers", lambda t, **named: _time(t.long().to(t.dtype), **named)),
    Mistake("sinusoidal_time_embedding", "an odd dim rounded down", _time, only_checks=True),
    Mistake("group_norm", "unbiased variance", _wrong(_norm, correction=1)),
    Mistake("group_norm", "epsilon outside the root", _wrong(_norm, outside=True)),
    Mistake("group_norm", "groups of every n-th channel", _wrong(_norm, slow=False)),
    Mistake("group_norm", "bias before the gain", _wrong(_norm, bias_first=True)),
    Mistake("group_norm", "mean of squares less square of mean", _wrong(_norm, two_passes=False)),
    Mistake("group_norm", "mean of squares less square of mean, where the channels come last in memory",
            lambda x, weight, bias, *, num_groups, epsilon=1e-5: _norm(
                x, weight, bias, num_groups=num_groups, epsilon=epsilon, two_passes=x.is_contiguous())),
    Mistake("group_norm", "layer norm", lambda x, weight, bias, *, num_groups, epsilon=1e-5:
            right.group_norm(x, weight, bias, num_groups=1, epsilon=epsilon)),
    Mistake("group_norm", "instance norm", lambda x, weight, bias, *, num_groups, epsilon=1e-5:
            right.group_norm(x, weight, bias, num_groups=x.shape[1], epsilon=epsilon)),
    Mistake("group_norm", "torch's default epsilon", lambda x, weight, bias, *, num_groups, epsilon=1e-5:
            functional.group_norm(x, num_groups, weight, bias)),
    Mistake("group_norm", "epsilon 1e-6", lambda x, weight, bias, *, num_groups, epsilon=1e-6:
            functional.group_norm(x, num_groups, weight, bias, epsilon)),
    Mistake("group_norm", "statistics cut from the graph", lambda x, weight, bias, *, num_groups, epsilon=1e-5:
            (right.group_norm(x.detach(), weight, bias, num_groups=num_groups, epsilon=epsilon))),
    Mistake("scale_shift_modulation", "without the 1", lambda x, scale, shift: x * _wide(scale, x) + _wide(shift, x)),
    Mistake("scale_shift_modulation", "scale and shift swapped",
            lambda x, scale, shift: right.scale_shift_modulation(x, shift, scale)),
    Mistake("scale_shift_modulation", "shift scaled too", lambda x, scale, shift: (x + _wide(shift, x)) * (1 + _wide(scale, x))),
    Mistake("scale_shift_modulation", "the scale as its exponential",
            lambda x, scale, shift: x * _wide(scale, x).exp() + _wide(shift, x)),
    Mistake("residual_block", "time after the second norm", _wrong(_block, late=True)),
    Mistake("residual_block", "no SiLU on the embedding", _wrong(_block, active=False)),
    Mistake("residual_block", "no skip", _wrong(_block, skip=False)),
    Mistake("residual_block", "the skip is normed", _wrong(_block, normed_skip=True)),
    Mistake("residual_block", "kernels turned around", _wrong(_block, kernel=lambda w: w.flip(2, 3))),
    Mistake("residual_block", "kernels [in, out, ...]", _wrong(_block, kernel=lambda w: w.transpose(0, 1))),
    Mistake("residual_block", "kernels with rows and columns exchanged", _wrong(_block, kernel=lambda w: w.transpose(2, 3))),
    Mistake("residual_block", "circular padding", _wrong(_block, mode="circular")),
    Mistake("residual_block", "replicated padding", _wrong(_block, mode="replicate")),
    Mistake("residual_block", "GELU for SiLU", _wrong(_block, silu=False)),
    Mistake("residual_block", "the embedding's bias is forgotten", _wrong(_block, bias=False)),
    Mistake("residual_block", "dropout is never switched off",
            _wrong(_block, forward=lambda h: functional.dropout(h, 0.1, training=True))),
    Mistake("spatial_self_attention", "scaled by the root of C", _wrong(_attend, scale="model")),
    Mistake("spatial_self_attention", "not scaled", _wrong(_attend, scale="none")),
    Mistake("spatial_self_attention", "tokens by reshape, without transposing", _wrong(_attend, transposed=False)),
    Mistake("spatial_self_attention", "read by columns, written by rows", _wrong(_attend, columns=True)),
    Mistake("spatial_self_attention", "heads split as [D, H]", _wrong(_attend, split="fast")),
    Mistake("spatial_self_attention", "softmax over the queries", _wrong(_attend, axis=-2)),
    Mistake("spatial_self_attention", "no skip", _wrong(_attend, skip=False)),
    Mistake("downsample_average", "the largest", lambda x: functional.max_pool2d(x, 2)),
    Mistake("downsample_average", "every second pixel", lambda x: x[:, :, ::2, ::2]),
    Mistake("downsample_average", "the sum", lambda x: 4 * functional.avg_pool2d(x, 2)),
    Mistake("downsample_average", "blocks that are mixed by reshape",
            lambda x: x.reshape(*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2, 4).mean(-1)),
    Mistake("downsample_average", "odd sizes cut off", lambda x: functional.avg_pool2d(x, 2), only_checks=True),
    Mistake("upsample_nearest", "tiled", lambda x: x.repeat(1, 1, 2, 2)),
    Mistake("upsample_nearest", "zeros between", _zeros_between),
    Mistake("upsample_nearest", "bilinear", lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear")),
)  # fmt: skip


def _with_checks(name, form):
    """Another form, behind the right function's checks."""

    def function(*given, **named):
        getattr(right, name)(*given, **named)
        return form(*given, **named)

    return function


def _torchs_group_norm(x, weight, bias, *, num_groups, epsilon=1e-5):
    # torch 2.x subtracts the square of the mean from the mean of squares where the channels come last in memory
    return functional.group_norm(x.contiguous(), num_groups, weight, bias, epsilon)


def _fused(x, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    """Channel-first throughout, by 1x1 convolutions."""
    parts = [
        functional.conv2d(x, w[:, :, None, None]).flatten(2).unflatten(1, (num_heads, -1)).transpose(2, 3)
        for w in (query_weight, key_weight, value_weight)
    ]
    mixed = scaled_dot_product_attention(*parts, None).transpose(2, 3).flatten(1, 2)
    return x + functional.conv2d(mixed.unflatten(2, x.shape[2:]), output_weight[:, :, None, None])


EQUIVALENT = (
    Mistake("sinusoidal_time_embedding", "frequencies as powers", _with_checks("sinusoidal_time_embedding", _time)),
    Mistake("group_norm", "torch's own", _with_checks("group_norm", _torchs_group_norm)),
    Mistake(
        "scale_shift_modulation",
        "three terms",
        _with_checks("scale_shift_modulation", lambda x, scale, shift: x + x * _wide(scale, x) + _wide(shift, x)),
    ),
    Mistake("residual_block", "padded first", _with_checks("residual_block", _block)),
    Mistake("spatial_self_attention", "by 1x1 convolutions", _with_checks("spatial_self_attention", _fused)),
    Mistake("downsample_average", "torch's own", _with_checks("downsample_average", lambda x: functional.avg_pool2d(x, 2))),
    Mistake(
        "upsample_nearest", "torch's own", _with_checks("upsample_nearest", lambda x: functional.interpolate(x, scale_factor=2))
    ),
)
