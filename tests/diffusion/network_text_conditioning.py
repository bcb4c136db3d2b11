"""Networks of diffusion/text_conditioning without a flax counterpart: their formulas and the rest of a Model row."""

import numpy as np
import torch
from torch.nn import functional

from practice_torch.diffusion.text_conditioning import CaptionedUNet, cross_attention, image_to_tokens, tokens_to_image
from practice_torch.diffusion.unet import downsample_average, group_norm, sinusoidal_time_embedding, upsample_nearest
from shared_specs.rows import Model, begins_at, begins_by_inputs, begins_normal, given, normal, uniform
from tests.diffusion.network_unet import PREDICTOR
from tests.support.networks import Held


def _captioned(network, x, t, label):
    """Away from its text a U-Net: here the way down, the middle and the way up of one block each, which all attend."""
    p = dict(network.named_parameters())
    context, shown = network.text.hidden(label), label > 0
    time = sinusoidal_time_embedding(t, dim=4)
    for place in ("time.0", "time.1"):
        time = functional.linear(time, p[f"{place}.weight"], p[f"{place}.bias"])
        time = functional.silu(time)

    def norm(place, h):
        return group_norm(h, p[f"{place}.weight"], p[f"{place}.bias"], num_groups=2)

    def convolved(place, h):
        kernel = p[f"{place}.weight"]
        return functional.conv2d(h, kernel, p[f"{place}.bias"], padding=kernel.shape[-1] // 2)

    def block(place, h):
        shortcut = convolved(f"{place}.shortcut", h) if f"{place}.shortcut.weight" in p else h
        h = convolved(f"{place}.conv1", functional.silu(norm(f"{place}.norm1", h)))
        h = h + functional.linear(time, p[f"{place}.embed.weight"], p[f"{place}.embed.bias"])[:, :, None, None]
        h = shortcut + convolved(f"{place}.conv2", functional.silu(norm(f"{place}.norm2", h)))
        weights = p[f"{place}.attention.query_key_value.weight"].chunk(3)
        heads = h.shape[1] // 4
        tokens = image_to_tokens(norm(f"{place}.attention.norm", h))
        everywhere = torch.ones(tokens.shape[:2], dtype=torch.bool)
        attended = cross_attention(tokens, tokens, everywhere, *weights, p[f"{place}.attention.output.weight"], num_heads=heads)
        h = h + tokens_to_image(attended, height=h.shape[2], width=h.shape[3])
        weights = [p[f"{place}.cross.mix.{name}.weight"] for name in ("query", "key", "value", "output")]
        tokens = image_to_tokens(norm(f"{place}.cross.norm", h))
        attended = cross_attention(tokens, context, shown, *weights, num_heads=heads)
        return h + tokens_to_image(attended, height=h.shape[2], width=h.shape[3])

    h = block("encoder.0.blocks.0", convolved("input", x))
    low = block("middle.0", convolved("encoder.0.resample", downsample_average(h)))
    up = convolved("decoder.0.resample", upsample_nearest(low))
    return convolved("output", functional.silu(norm("norm", block("decoder.0.blocks.0", torch.cat([up, h], 1)))))


_CAPTIONED = dict(
    vocabulary_size=5,
    words=3,
    text_width=8,
    text_layers=1,
    head_width=4,
    groups=2,
    channels=2,
    size=(8, 4),
    base_channels=4,
    multipliers=(1, 2),
    blocks=1,
    attention_at=(8, 4),
    compact=True,
)


HELD = (
    Held(
        CaptionedUNet,
        Model(
            "CaptionedUNet",
            "captions of one to three words",
            given(x=normal(3, 2, 8, 4), t=uniform(3, high=20.0), label=np.array([[3, 1, 2], [1, 0, 0], [4, 4, 0]])),
            sizes=_CAPTIONED,
            training=dict(dropout=0.5),
            initial={
                "text.*norm.weight": begins_at(1),
                "text.*.bias": begins_at(0),
                "text.*embedding.weight": begins_normal(0.02),
                "text.blocks.*.output.weight": begins_normal(0.02 / 2**0.5),
                "text.blocks.*.down.weight": begins_normal(0.02 / 2**0.5),
                "text.*.weight": begins_normal(0.02),
                "*cross.mix.output.weight": begins_at(0),
                "*cross.norm.weight": begins_at(1),
                "*cross.norm.bias": begins_at(0),
                "*cross.mix.*": begins_by_inputs(),
            }
            | PREDICTOR,
        ),
        _captioned,
    ),
)
