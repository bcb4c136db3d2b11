"""Networks of adversarial/image_translation: their formulas, layer by layer, and how they begin."""

import torch
from torch.nn import functional

from practice_torch.adversarial.image_translation import instance_normalize
from practice_torch.networks.translation import PatchDiscriminator, ResidualTranslator, UnetTranslator
from shared_specs.rows import Model, begins_at, begins_normal, given, uniform
from tests.support.networks import Held

BEGINNING = {"*.bias": begins_at(0), "*.weight": begins_normal(0.02)}


def _leaky(x):
    return torch.maximum(x, 0.2 * x)


def _patches(network, images):
    """Strides 2, then 1 and 1; all layers but the first and the last are normalized."""
    p = dict(network.named_parameters())
    x = _leaky(functional.conv2d(images, p["layers.0.weight"], p["layers.0.bias"], stride=2, padding=1))
    x = _leaky(instance_normalize(functional.conv2d(x, p["layers.2.weight"], stride=2, padding=1)))
    x = _leaky(instance_normalize(functional.conv2d(x, p["layers.5.weight"], padding=1)))
    return functional.conv2d(x, p["layers.8.weight"], p["layers.8.bias"], padding=1)


def _unet(network, images):
    """Three halvings: 16 -> 8 -> 4 -> 2 and back; the first and the innermost layer are not normalized on the way down."""
    p = dict(network.named_parameters())

    def halved(x, level, bias=None):
        return functional.conv2d(x, p[f"down.{level}.0.weight"], bias, stride=2, padding=1)

    def doubled(x, level, bias=None):
        return functional.conv_transpose2d(x, p[f"up.{level}.0.weight"], bias, stride=2, padding=1)

    first = _leaky(halved(images, 0, p["down.0.0.bias"]))
    second = _leaky(instance_normalize(halved(first, 1)))
    third = _leaky(halved(second, 2, p["down.2.0.bias"]))
    x = torch.relu(instance_normalize(doubled(third, 2)))
    x = torch.relu(instance_normalize(doubled(torch.cat([x, second], 1), 1)))
    return torch.tanh(doubled(torch.cat([x, first], 1), 0, p["up.0.0.bias"]))


def _residual(network, images):
    """One halving, one block, one doubling, between two kernels of 7."""
    p = dict(network.named_parameters())

    def reflected(x, name, kernel, bias=None):
        return functional.conv2d(functional.pad(x, (kernel // 2,) * 4, mode="reflect"), p[f"{name}.weight"], bias)

    x = torch.relu(instance_normalize(reflected(images, "layers.1", 7)))
    x = torch.relu(instance_normalize(functional.conv2d(x, p["layers.4.weight"], stride=2, padding=1)))
    inner = torch.relu(instance_normalize(reflected(x, "layers.7.layers.1", 3)))
    x = x + instance_normalize(reflected(inner, "layers.7.layers.5", 3))
    doubled = functional.conv_transpose2d(x, p["layers.8.weight"], stride=2, padding=1, output_padding=1)
    return torch.tanh(reflected(torch.relu(instance_normalize(doubled)), "layers.12", 7, p["layers.12.bias"]))


HELD = (
    Held(
        PatchDiscriminator,
        Model(
            "PatchDiscriminator",
            "strides 2, 2 and 1",
            given(images=uniform(3, 2, 20, 24, low=-1.0)),
            sizes=dict(channels=2, width=3, strides=(2, 2, 1)),
            initial=BEGINNING,
        ),
        _patches,
    ),
    Held(
        UnetTranslator,
        Model(
            "UnetTranslator",
            "three halvings",
            given(images=uniform(3, 2, 16, 24, low=-1.0)),
            sizes=dict(channels=2, width=3, halvings=3),
            training=dict(dropout=0.5),
            initial=BEGINNING,
        ),
        _unet,
    ),
    Held(
        ResidualTranslator,
        Model(
            "ResidualTranslator",
            "one halving, one block",
            given(images=uniform(3, 2, 8, 12, low=-1.0)),
            sizes=dict(channels=2, width=3, halvings=1, blocks=1),
            initial=BEGINNING,
        ),
        _residual,
    ),
)
