"""The vocoder of diffusion/audio_diffusion: its formula, by causal convolutions and by loops over taps."""

import math

import numpy as np
import torch
from torch.nn import functional

from practice_torch.autoregressive.wavenet import causal_convolution
from practice_torch.diffusion.audio_diffusion import Vocoder
from practice_torch.diffusion.unet import sinusoidal_time_embedding
from shared_specs.diffusion.unet import KERNELS
from shared_specs.rows import Model, begins_at, given, normal, uniform
from tests.support.networks import Held

WIDTH = 6


def _upsampled(frames, weight, bias, stride):
    """Every frame and its two neighbors in the bands spread over two strides, around the middle of the frame."""
    batch, bands, count = frames.shape
    spread = torch.zeros(batch, bands + 2, (count + 1) * stride, dtype=frames.dtype)
    for band in range(3):
        for tap in range(2 * stride):
            end = tap + (count - 1) * stride + 1
            spread[:, band : band + bands, tap:end:stride] += frames * weight[0, 0, band, tap]
    found = spread[:, 1:-1, stride // 2 : stride // 2 + count * stride] + bias
    return torch.where(found > 0, found, 0.4 * found)


def _denoised(network, x, level, spectrogram):
    """A convolution that sees d steps of the future is causal d steps later."""
    p = dict(network.named_parameters())

    def linear(place, z):
        return functional.linear(z, p[f"{place}.weight"].flatten(1), p.get(f"{place}.bias"))

    def pointwise(place, z):
        return linear(place, z.transpose(1, 2)).transpose(1, 2)

    embedding = sinusoidal_time_embedding(1000 * level, dim=128)
    for place in ("level.0", "level.1"):
        embedding = linear(place, embedding) * torch.sigmoid(linear(place, embedding))
    condition = spectrogram
    for number, stride in enumerate((2, 4)):
        condition = _upsampled(condition, p[f"frames.{number}.weight"], p[f"frames.{number}.bias"], stride)
    h, skips = pointwise("input", x).relu(), 0
    for number, dilation in enumerate((1, 2, 1)):
        place = f"blocks.{number}"
        z = functional.pad(h + linear(f"{place}.level", embedding)[..., None], (0, dilation))
        later = causal_convolution(z, p[f"{place}.gates.weight"], p[f"{place}.gates.bias"], dilation=dilation)
        gates = later[..., dilation:] + pointwise(f"{place}.condition", condition)
        out = pointwise(f"{place}.out", gates[:, :WIDTH].tanh() * gates[:, WIDTH:].sigmoid())
        h, skips = (h + out[:, :WIDTH]) / math.sqrt(2), skips + out[:, WIDTH:]
    return pointwise("output", pointwise("mix", skips / math.sqrt(3)).relu())


def _interpolation(stride):
    """The middle row of the kernel, from the middle of a frame to those of its neighbors."""
    rising = (np.arange(stride) + 0.5) / stride
    return begins_at(
        np.stack([0 * np.arange(2 * stride), np.append(rising, rising[::-1]), 0 * np.arange(2 * stride)])[None, None]
    )


HELD = (
    Held(
        Vocoder,
        Model(
            "Vocoder",
            "two strides",
            given(x=normal(3, 1, 16), level=uniform(3), spectrogram=uniform(3, 5, 2)),
            sizes=dict(width=WIDTH, layers=3, cycle=2, bands=5, strides=(2, 4)),
            initial={
                "*.bias": begins_at(0),
                "output.weight": begins_at(0),
                "frames.0.weight": _interpolation(2),
                "frames.1.weight": _interpolation(4),
            }
            | KERNELS,
        ),
        _denoised,
    ),
)
