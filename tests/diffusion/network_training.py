"""Networks of diffusion/training without a flax counterpart: their formulas and the rest of a Model row."""

import math

import numpy as np
import torch
from torch.nn import functional

from practice_torch.autoregressive.wavenet import causal_convolution
from practice_torch.networks.diffwave import DiffWave
from shared_specs.rows import Initial, Model, begins_at, begins_by_inputs, begins_normal, given, normal, uniform
from tests.support.networks import Held

WIDTH = 8


def _denoised(network, x, t, label=None):
    """DiffWave of causal convolutions: a convolution that sees d steps of the future is causal d steps later."""
    p = dict(network.named_parameters())

    def linear(place, z):
        return functional.linear(z, p[f"{place}.weight"].flatten(1), p.get(f"{place}.bias"))

    def pointwise(place, z):
        return linear(place, z.transpose(1, 2)).transpose(1, 2)

    angles = t[:, None] * 10 ** (torch.arange(64, dtype=torch.float64) * 4 / 63)
    time = torch.cat([angles.sin(), angles.cos()], 1).to(x.dtype)
    for place in ("time.0", "time.1"):
        time = linear(place, time) * torch.sigmoid(linear(place, time))
    h, skips = pointwise("input", x).relu(), 0
    for number, dilation in enumerate((1, 2, 1)):
        z, place = h + linear(f"blocks.{number}.time", time)[..., None], f"blocks.{number}"
        later = causal_convolution(
            functional.pad(z, (0, dilation)), p[f"{place}.gates.weight"], p[f"{place}.gates.bias"], dilation=dilation
        )
        gates = later[..., dilation:]
        if network.num_classes:
            classes = torch.full((len(x),), network.num_classes) if label is None else label
            gates = gates + linear(f"{place}.label", p["label.weight"][classes])[..., None]
        z = pointwise(f"{place}.out", gates[:, :WIDTH].tanh() * gates[:, WIDTH:].sigmoid())
        h, skips = (h + z[:, :WIDTH]) / math.sqrt(2), skips + z[:, WIDTH:]
    return pointwise("output", pointwise("mix", skips / math.sqrt(3)).relu())


_DIFFWAVE = dict(width=WIDTH, layers=3, cycle=2)
_HE = Initial("normal", scale=lambda inputs, outputs: (2 / inputs) ** 0.5)
_DENOISER = {"output.*": begins_at(0)} | {f"{place}.weight": _HE for place in ("input", "mix", "blocks.*.gates", "blocks.*.out")}
_DENOISER |= {"*": begins_by_inputs()}


HELD = (
    Held(
        DiffWave,
        Model(
            "DiffWave",
            "classes",
            given(x=normal(3, 1, 6), t=uniform(3), label=np.array([0, 3, 2])),
            sizes=_DIFFWAVE | dict(num_classes=3),
            initial={"label.weight": begins_normal(1.0)} | _DENOISER,
        ),
        _denoised,
    ),
    Held(
        DiffWave,
        Model(
            "DiffWave",
            "the label left out",
            given(x=normal(3, 1, 6), t=uniform(3)),
            sizes=_DIFFWAVE | dict(num_classes=3),
            initial={"label.weight": begins_normal(1.0)} | _DENOISER,
        ),
        _denoised,
    ),
    Held(
        DiffWave,
        Model("DiffWave", "no classes", given(x=normal(3, 1, 6), t=uniform(3)), sizes=_DIFFWAVE, initial=_DENOISER),
        _denoised,
    ),
)
