"""Networks of adversarial/style_gan, which have no flax counterpart: their formulas and the rest of a Model row."""

import torch
from torch.nn import functional

from practice_torch.adversarial.style_gan import MappingNetwork, ResidualCritic, SynthesisNetwork
from shared_specs.rows import Model, begins_at, begins_normal, given, normal, uniform
from tests.support.networks import Held

LAYERS = {"*.weight": begins_normal(1.0), "*.bias": begins_at(0)}
STYLED = {"start": begins_normal(1.0), "*.strength": begins_at(0), "*.style.bias": begins_at(1)}
SIZES = dict(shape=(2, 8, 12), width=3, most_channels=5)


def _parts(network):
    return dict(network.named_parameters())


def _active(x):
    return 2**0.5 * torch.where(x > 0, x, x / 5)


def _dense(p, place, x):
    weight = p[f"{place}.weight"]
    return x @ weight.T / weight.shape[1] ** 0.5 + p[f"{place}.bias"]


def _convolved(p, place, x):
    weight = p[f"{place}.weight"]
    inputs, size = weight.shape[1:3]
    found = functional.conv2d(x, weight / (inputs * size**2) ** 0.5, padding=size // 2)
    return found + p[f"{place}.bias"][:, None, None]


def _modulated(p, place, x, code, demodulate):
    """One example after another, each with its own kernel."""
    weight, found = p[f"{place}.weight"], []
    for image, gains in zip(x, _dense(p, f"{place}.style", code), strict=True):
        kernel = weight * gains[:, None, None]
        length = kernel.square().sum((1, 2, 3), keepdim=True).add(1e-8).sqrt() if demodulate else weight.shape[1] ** 0.5
        found.append(functional.conv2d(image, kernel / length, padding=weight.shape[2] // 2))
    return torch.stack(found)


def _twice(x):
    """Three quarters of the nearest pixel and a quarter of the next, along both axes; beyond the border its last pixel."""
    for axis in (2, 3):
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        before = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), last], axis)
        x = torch.stack([3 * x + before, 3 * x + after], axis + 1).flatten(axis, axis + 1) / 4
    return x


def _mapped(network, z):
    p, u = _parts(network), z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in range(2):
        u = _active(_dense(p, f"layers.{layer}", u))
    return u


def _synthesized(network, codes, noise):
    """Layers of 4 x 6, 8 x 12 and 8 x 12 pixels, with an image after the first and after the last."""
    p, x, begun, images = _parts(network), torch.stack(len(codes) * [network.start]), 0, None
    for layer, (height, width) in enumerate(((4, 6), (8, 12), (8, 12))):
        grid = noise[:, begun : begun + height * width].reshape(-1, 1, height, width)
        begun += height * width
        x = _modulated(p, f"layers.{layer}", _twice(x) if layer == 1 else x, codes[:, layer], True)
        x = _active(x + p[f"layers.{layer}.strength"] * grid + p[f"layers.{layer}.bias"][:, None, None])
        if layer != 1:
            place = f"to_images.{layer // 2}"
            shown = _modulated(p, place, x, codes[:, layer + 1], False) + p[f"{place}.bias"][:, None, None]
            images = shown if layer == 0 else _twice(images) + shown
    return images


def _pooled(x):
    return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))


def _scored(network, images):
    p = _parts(network)
    x = _active(_convolved(p, "from_image", images))
    changed = _active(_convolved(p, "blocks.0.second", _active(_convolved(p, "blocks.0.first", x))))
    x = (_pooled(changed) + _convolved(p, "blocks.0.past", _pooled(x))) / 2**0.5
    groups = x.unflatten(0, (2, 3))  # six images: in each of three groups one of the first three and one of the last
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3)).repeat(2)
    x = torch.cat([x, spread[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)
    x = _active(_convolved(p, "last", x)).flatten(1)
    return _dense(p, "score", _active(_dense(p, "hidden", x))).flatten()


HELD = (
    Held(
        MappingNetwork,
        Model("MappingNetwork", "two layers", given(z=normal(5, 4)), sizes=dict(latent=4, layers=2), initial=LAYERS),
        _mapped,
    ),
    Held(
        SynthesisNetwork,
        Model(
            "SynthesisNetwork",
            "one doubling",
            given(codes=normal(5, 4, 3), noise=normal(5, 216)),
            sizes=dict(latent=3, **SIZES),
            initial=STYLED | LAYERS,
        ),
        _synthesized,
    ),
    Held(
        ResidualCritic,
        Model(
            "ResidualCritic",
            "one halving",
            given(images=uniform(6, 2, 8, 12, low=-1.0)),
            sizes=SIZES,
            initial=LAYERS,
            apart=False,
        ),
        _scored,
    ),
)
