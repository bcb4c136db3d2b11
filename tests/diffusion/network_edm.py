"""The network DDPM++ of diffusion/edm: its formula, layer by layer, and how it begins."""

import math

import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import scaled_dot_product_attention
from practice_torch.diffusion.unet import downsample_average, group_norm, sinusoidal_time_embedding, upsample_nearest
from practice_torch.networks.ddpm_plus_plus import DdpmPlusPlus
from shared_specs.rows import Initial, Model, begins_at, begins_glorot, given, normal
from tests.support.networks import Held

SIZES = dict(channels=2, size=(4, 4), base_channels=8, multipliers=(1, 2), blocks=1, attention_at=(4,))


def _answer(network, x, level, augmentation=None):
    p = dict(network.named_parameters())

    def norm(place, h):
        groups = min(32, h.shape[1] // 4)
        return group_norm(h, p[f"{place}.weight"], p[f"{place}.bias"], num_groups=groups, epsilon=1e-6)

    def linear(place, h):
        return functional.linear(h, p[f"{place}.weight"], p.get(f"{place}.bias"))

    def convolution(place, h):
        weight = p[f"{place}.weight"]
        return functional.conv2d(h, weight, p[f"{place}.bias"], padding=weight.shape[-1] // 2)

    def attended(place, h):
        tokens = norm(f"{place}.norm", h).flatten(2).transpose(1, 2)
        parts = linear(f"{place}.query_key_value", tokens).unsqueeze(1).chunk(3, dim=-1)  # one head
        mixed = linear(f"{place}.output", scaled_dot_product_attention(*parts, None)[:, 0])
        return (h + mixed.transpose(1, 2).reshape(h.shape)) / math.sqrt(2)

    def block(place, h, resampled=lambda h: h):
        z = convolution(f"{place}.conv1", resampled(functional.silu(norm(f"{place}.norm1", h))))
        z = norm(f"{place}.norm2", z + linear(f"{place}.embed", embedding)[..., None, None])
        z = convolution(f"{place}.conv2", functional.silu(z))
        straight = convolution(f"{place}.shortcut", resampled(h)) if f"{place}.shortcut.weight" in p else h
        h = (straight + z) / math.sqrt(2)
        return attended(f"{place}.attention", h) if f"{place}.attention.output.bias" in p else h

    embedding = sinusoidal_time_embedding(level, dim=8)
    embedding = embedding if augmentation is None else embedding + linear("augmentation", augmentation)
    for place in ("level.0", "level.1"):
        embedding = functional.silu(linear(place, embedding))
    first = convolution("input", x)
    large = block("encoder.0.0", first)
    halved = block("encoder.1.0", large, downsample_average)
    small = block("encoder.1.1", halved)
    h = block("middle.1", block("middle.0", small))
    for number, skip in enumerate((small, halved)):
        h = block(f"decoder.0.{number}", torch.cat([h, skip], 1))
    h = block("decoder.1.0", h, upsample_nearest)
    for number, skip in enumerate((large, first), start=1):
        h = block(f"decoder.1.{number}", torch.cat([h, skip], 1))
    return convolution("output", functional.silu(norm("norm", h)))


def _glorot(factor):
    return Initial("uniform", scale=lambda inputs, outputs: factor * (2 / (inputs + outputs)) ** 0.5)


_BEGINS = {
    "*norm*.weight": begins_at(1),
    "*.bias": begins_at(0),
    "*query_key_value.weight": _glorot(math.sqrt(0.2)),
    "*conv2.weight": _glorot(1e-5),
    "*output.weight": _glorot(1e-5),
    "*.weight": begins_glorot(),
}

HELD = tuple(
    Held(
        DdpmPlusPlus,
        Model(
            "DdpmPlusPlus",
            case,
            given(x=normal(3, 2, 4, 4), level=normal(3), **more),
            sizes=SIZES | sizes,
            initial=_BEGINS,
            training=dict(dropout=0.5),
        ),
        _answer,
    )
    for case, more, sizes in (
        ("images as they are", {}, {}),
        ("augmented images", dict(augmentation=normal(3, 5)), dict(augmentations=5)),
    )
)
