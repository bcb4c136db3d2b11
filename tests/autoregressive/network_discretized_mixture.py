"""Networks of autoregressive/discretized_mixture without a flax counterpart: their formulas and the rest of a Model row."""

import torch
from torch.nn import functional

from practice_torch.autoregressive.pixelcnn import gated_activation, horizontal_convolution, vertical_convolution
from practice_torch.experiments.autoregressive.discretized_mixture import MixturePixelCNN
from shared_specs.rows import Model, begins_by_inputs, given, integers
from tests.support.networks import Held


def _mixtures(network, codes):
    """Logits, means and log-scales of two colors; the mean of the second is moved by the value of the first."""
    p, x = dict(network.named_parameters()), codes.double() - 1  # of three levels

    def given(place):
        return p[f"{place}.weight"], p[f"{place}.bias"]

    def pointwise(place, z):
        return functional.linear(z.movedim(1, -1), p[f"{place}.weight"].flatten(1), p[f"{place}.bias"]).movedim(-1, 1)

    read = torch.stack([x[:, 0], x[:, 1], torch.ones_like(x[:, 0])], 1)
    above = vertical_convolution(read, *given("above"), mask_type="A")
    before = horizontal_convolution(read, *given("before"), mask_type="A")
    for place in ("layers.0", "layers.1"):
        tall = vertical_convolution(above, *given(f"{place}.vertical"), mask_type="B")
        wide = horizontal_convolution(before, *given(f"{place}.horizontal"), mask_type="B")
        before = before + pointwise(f"{place}.out", gated_activation(wide + pointwise(f"{place}.link", tall)))
        above = gated_activation(tall)
    laws = pointwise("laws", pointwise("hidden", before.relu()).relu())
    logits, first, second, narrow, wide, coefficient = (part.movedim(1, -1) for part in laws.split(3, 1))
    second = second + coefficient.tanh() * x[:, 0, :, :, None]
    return logits, torch.stack([first, second], 1), torch.stack([narrow, wide], 1).clamp(min=-7)


HELD = (
    Held(
        MixturePixelCNN,
        Model(
            "MixturePixelCNN",
            "two colors",
            given(codes=integers(2, 2, 3, 4, high=3)),
            training=dict(dropout=0.5),
            sizes=dict(num_levels=3, colors=2, components=3, width=4, layers=2),
            initial={"*": begins_by_inputs()},
        ),
        _mixtures,
    ),
)
