"""Networks of flows/multiscale without a flax counterpart: their formulas and the rest of a Model row."""

from functools import partial

import numpy as np
import scipy.linalg
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.flows import actnorm, affine_coupling, invertible_convolution
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.multiscale import (
    Glow,
    MultiscaleRealNVP,
    PublishedGlow,
    PublishedRealNVP,
    split_prior_log_prob,
    squeeze,
)
from shared_specs.flows._cases import undone
from shared_specs.rows import Initial, Model, begins_as, begins_at, begins_by_inputs, begins_normal, given, normal
from tests.support.networks import Held


def _glow(network, x):
    """Two levels of two steps on two colors: each step the three layers, with the coupling given by its mask."""
    p, fixed = dict(network.named_parameters()), dict(network.named_buffers())
    h, left, total = x.unflatten(1, (2, 4, 4)), [], 0.0

    def convolved(place, z):
        return functional.conv2d(z, p[f"{place}.weight"], p[f"{place}.bias"], padding=p[f"{place}.weight"].shape[-1] // 2)

    def coupled(place, z, which):
        """Log-scales or shifts for the second half of the channels, given the first, which has none."""
        half = z.shape[1] // 2
        hidden = convolved(f"{place}.2", convolved(f"{place}.0", z[:, :half]).relu()).relu()
        return functional.pad(convolved(f"{place}.4", hidden).split(half, 1)[which], (0, 0, 0, 0, half, 0))

    for number in range(4):
        place = f"blocks.{number}"
        if number % 2 == 0:
            h = squeeze(h)
        h, of_norm = actnorm.forward(h, p[f"{place}.shift"], p[f"{place}.log_scale"])
        parts = [p[f"{place}.{name}"] for name in ("lower", "upper", "log_diagonal")]
        weight = invertible_convolution.assemble(fixed[f"{place}.permutation"], *parts, fixed[f"{place}.sign"])
        h, of_weight = invertible_convolution.forward(h, weight)
        log_scale, shift = (partial(coupled, f"{place}.network", which=which) for which in (0, 1))
        h, of_coupling = affine_coupling.forward(
            h, affine_coupling.channel_mask(channels=h.shape[1]), lambda z, raw=log_scale: 1.5 * torch.tanh(raw(z) / 1.5), shift
        )
        total = total + of_norm + of_weight + of_coupling
        if number == 1:
            mean, log_var = convolved("priors.0", h[:, :4]).split(4, 1)
            noise = (h[:, 4:] - mean) / (log_var / 2).exp()
            h, log_prob = split_prior_log_prob(h, lambda kept, mean=mean: mean, lambda kept, log_var=log_var: log_var)
            left, total = [noise.flatten(1)], total + log_prob - standard_normal_log_prob(noise)
    return torch.cat([*left, h.flatten(1)], 1), total


def _masked(network, x):
    """Real NVP of two scales on two colors; half of the eight channels behind the squeeze leave after the sixth step."""
    p, h, total = dict(network.named_parameters()), x.unflatten(1, (2, 4, 4)), 0.0

    def convolved(place, z):
        return functional.conv2d(z, p[f"{place}.weight"], p[f"{place}.bias"], padding=1)

    def answered(place, z, which):
        hidden = convolved(f"{place}.first", z)
        inner = convolved(f"{place}.pairs.0.0", hidden.relu()).relu()
        hidden = hidden + convolved(f"{place}.pairs.0.1", inner)
        return convolved(f"{place}.last", hidden.relu()).chunk(2, 1)[which]

    for number in range(10):
        place, flip = f"blocks.{number}", number in (1, 4, 7, 9)
        if number == 3:
            h = squeeze(h)
        if number == 6:
            h, left = h.split(4, 1)
        if 3 <= number < 6:
            mask = affine_coupling.channel_mask(channels=8, flip=flip)
        else:
            mask = affine_coupling.checkerboard_mask(height=h.shape[2], width=h.shape[3], flip=flip)
        h, of_norm = actnorm.forward(h, p[f"{place}.shift"], p[f"{place}.log_scale"])
        raw, shift = (partial(answered, f"{place}.network", which=which) for which in (0, 1))
        h, of_coupling = affine_coupling.forward(h, mask, lambda z, raw=raw: 1.5 * torch.tanh(raw(z) / 1.5), shift)
        total = total + of_norm + of_coupling
    return torch.cat([left.flatten(1), h.flatten(1)], 1), total


def _published_glow(network, x):
    """Two levels of two steps on two colors, with the border of an image as a channel of its own."""
    p, h, left, total = dict(network.named_parameters()), x.unflatten(1, (2, 4, 4)), [], 0.0

    def with_border(z):
        padded = functional.pad(z, (1, 1, 1, 1))
        border = torch.ones(len(z), 1, *padded.shape[2:], dtype=z.dtype)
        border[..., 1:-1, 1:-1] = 0.0
        return torch.cat([padded, border], 1)

    def scaled(place, z):
        z = functional.conv2d(with_border(z), p[f"{place}.weight"], p[f"{place}.bias"])
        return z * (3 * p[f"{place}.log_scale"])[:, None, None].exp()

    def normalized(place, z):
        return (z + p[f"{place}.shift"][:, None, None]) * (3 * p[f"{place}.log_scale"])[:, None, None].exp()

    def standardized(place, z, given):
        mean, log_deviation = scaled(place, given).chunk(2, 1)
        return (z - mean) / log_deviation.exp(), -log_deviation.expand_as(z).flatten(1).sum(1)

    for number in range(4):
        place = f"blocks.{number}"
        if number % 2 == 0:
            h = squeeze(h)
        pixels = h.shape[2] * h.shape[3]
        total = total + pixels * (3 * p[f"{place}.log_scale"].sum() + torch.linalg.slogdet(p[f"{place}.weight"]).logabsdet)
        a, b = torch.einsum("ij,bjhw->bihw", p[f"{place}.weight"], normalized(place, h)).chunk(2, 1)
        hidden = normalized(f"{place}.first", functional.conv2d(with_border(a), p[f"{place}.first.weight"])).relu()
        hidden = normalized(f"{place}.second", functional.conv2d(hidden, p[f"{place}.second.weight"])).relu()
        shift, raw = scaled(f"{place}.last", hidden).chunk(2, 1)
        h = torch.cat([a, (b + shift) / (1 + (-raw - 2).exp())], 1)
        total = total - (1 + (-raw - 2).exp()).log().flatten(1).sum(1)
        if number == 1:
            h, leaving = h.chunk(2, 1)
            noise, log_det = standardized("priors.0", leaving, h)
            left, total = [noise.flatten(1)], total + log_det
    noise, log_det = standardized("top", h, h[:, :0])
    return torch.cat([*left, noise.flatten(1)], 1), total + log_det


def _published_real_nvp(network, x):
    """Two colors; the places of one diagonal of two by two pixels take the last four couplings."""
    p, kept = dict(network.named_parameters()), dict(network.named_buffers())
    h, total = x.unflatten(1, (2, 4, 4)), 0.0

    def normalized(place, z):
        mean, variance = (kept[f"{place}.moments.{name}"][:, None, None] for name in ("mean", "variance"))
        return (z - mean) / (variance + 1e-4).sqrt()

    def centered(place, z):
        return normalized(place, z) + p[f"{place}.offset"][:, None, None]

    def convolved(place, z):
        kernel = p[f"{place}.weight"]
        lengths = torch.linalg.vector_norm(kernel, dim=(1, 2, 3)) / p.get(f"{place}.length", 1.0)
        return functional.conv2d(z, kernel / lengths[:, None, None, None], p.get(f"{place}.bias"), padding=kernel.shape[-1] // 2)

    def answered(place, z):
        hidden = convolved(f"{place}.network.first", z.relu())
        inner = convolved(f"{place}.network.blocks.0.one", centered(f"{place}.network.blocks.0.norms.0", hidden).relu())
        inner = convolved(f"{place}.network.blocks.0.two", centered(f"{place}.network.blocks.0.norms.1", inner).relu())
        found = convolved(f"{place}.network.skips.0", hidden) + convolved(f"{place}.network.skips.1", hidden + inner)
        shift, raw = convolved(f"{place}.network.last", centered(f"{place}.network.norm", found).relu()).chunk(2, 1)
        return shift, p[f"{place}.factor"] * raw.tanh()

    def checkered(place, z, flip):
        mask = affine_coupling.checkerboard_mask(height=z.shape[2], width=z.shape[3], flip=flip).to(z.dtype)
        seen = 2 * centered(f"{place}.entry", mask * z)
        shift, log_scale = answered(place, torch.cat([seen, -seen, mask.expand(len(z), -1, -1, -1)], 1))
        moved = normalized(place, (z + shift) * log_scale.exp())
        deviations = (kept[f"{place}.moments.variance"] + 1e-4).sqrt().log()[:, None, None]
        return mask * z + (1 - mask) * moved, ((1 - mask) * (log_scale - deviations)).flatten(1).sum(1)

    def across(place, z, flip):
        a, b = z.chunk(2, 1)[:: -1 if flip else 1]
        seen = centered(f"{place}.entry", a)
        shift, log_scale = answered(place, torch.cat([seen, -seen], 1))
        b = normalized(place, (b + shift) * log_scale.exp())
        deviations = (kept[f"{place}.moments.variance"] + 1e-4).sqrt().log()[:, None, None]
        return torch.cat([a, b][:: -1 if flip else 1], 1), (log_scale - deviations).flatten(1).sum(1)

    for number in range(10):
        scale, place = ("fine", "across", "coarse")[min(number // 3, 2)], min(number - 3 * min(number // 3, 2), 3)
        if number == 3:
            h = squeeze(h)
        if number == 6:
            colors = [h[:, 4 * color : 4 * color + 4] for color in (0, 1)]
            left = torch.stack([colors[color][:, spot] for spot in (1, 2) for color in (0, 1)], 1)
            h = torch.stack([colors[color][:, spot] for spot in (0, 3) for color in (0, 1)], 1)
        h, log_det = (across if scale == "across" else checkered)(f"{scale}.{place}", h, place % 2 == 1)
        total = total + log_det
    return torch.cat([left.flatten(1), h.flatten(1)], 1), total


def _of_a_rotation(part):
    """A part of the LU form of a random rotation: 0 the matrix L, 1 U without its diagonal, 2 the logarithms of that."""

    def draw(rng, shape):
        _, lower, upper = scipy.linalg.lu(scipy.stats.ortho_group.rvs(shape[0], random_state=rng))
        return (lower, np.triu(upper, 1), np.log(np.abs(np.diag(upper))))[part]

    return begins_as(draw)


HELD = (
    Held(
        Glow,
        Model(
            "Glow",
            "two levels",
            given(x=normal(3, 32)),
            sizes=dict(shape=(2, 4, 4), num_levels=2, depth=2, width=5, bound=1.5),
            relations={"the inverse undoes it": undone},
            initial={
                "*.shift": begins_at(0),
                "*.log_scale": begins_at(0),
                "*.lower": _of_a_rotation(0),
                "*.upper": _of_a_rotation(1),
                "*.log_diagonal": _of_a_rotation(2),
                "*.network.4.*": begins_at(0),
                "priors.*": begins_at(0),
                "*": begins_by_inputs(),
            },
        ),
        _glow,
    ),
    Held(
        MultiscaleRealNVP,
        Model(
            "MultiscaleRealNVP",
            "two colors",
            given(x=normal(3, 32)),
            sizes=dict(shape=(2, 4, 4), width=3, residual_blocks=1, bound=1.5),
            relations={"the inverse undoes it": undone},
            initial={"*.shift": begins_at(0), "*.log_scale": begins_at(0), "*.last.*": begins_at(0), "*": begins_by_inputs()},
        ),
        _masked,
    ),
    Held(
        PublishedGlow,
        Model(
            "PublishedGlow",
            "two levels",
            given(x=normal(3, 32)),
            sizes=dict(shape=(2, 4, 4), num_levels=2, depth=2, width=5),
            relations={"the inverse undoes it": undone},
            initial={
                "*.first.weight": begins_normal(0.05),
                "*.second.weight": begins_normal(0.05),
                "*.last.*": begins_at(0),
                "priors.*": begins_at(0),
                "top.*": begins_at(0),
                "*.weight": begins_as(lambda rng, shape: scipy.stats.ortho_group.rvs(shape[0], random_state=rng)),
                "*": begins_at(0),
            },
        ),
        _published_glow,
    ),
    Held(
        PublishedRealNVP,
        Model(
            "PublishedRealNVP",
            "two colors",
            given(x=normal(3, 32)),
            sizes=dict(shape=(2, 4, 4), width=3, residual_blocks=1),
            relations={"the inverse undoes it": undone},
            apart=False,
            initial={
                "across.*.factor": begins_at(1),
                # up to sqrt(2 / C) for C channels, whatever the window
                "*.skips.*.weight": Initial("uniform", scale=lambda inputs, outputs: (2 / 3 / inputs) ** 0.5),
                "*.last.weight": Initial("uniform", scale=lambda inputs, outputs: (2 / 3 / inputs) ** 0.5),
                "*.weight": Initial("uniform", scale=lambda inputs, outputs: (6 / inputs) ** 0.5),
                "*.two.length": begins_at(1.5**0.5),
                "*.length": begins_at(6**-0.5),
                "*": begins_at(0),
            },
        ),
        _published_real_nvp,
    ),
)
