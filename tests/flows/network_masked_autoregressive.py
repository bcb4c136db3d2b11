"""Networks of flows/masked_autoregressive: the formula of one without a flax counterpart, mistakes planted into the other."""

import torch
from torch import nn

from practice_torch.flows import masked_autoregressive
from shared_specs.flows._cases import undone
from shared_specs.rows import Initial, Model, begins_at, given, normal
from tests.support.networks import Held
from tests.support.planted_networks import BEGINS, not_bounded, put


def entries_see_themselves(patch):
    """>= where the output layer has >."""
    plain = masked_autoregressive.degrees_to_mask
    patch.setattr(masked_autoregressive, "degrees_to_mask", lambda below, above, *, strict: plain(below, above, strict=False))


def inverse_in_forward_order(patch):
    """The networks of the way to the noise, in the order of that way."""

    def in_forward_order(self, z):
        total = 0.0
        for network in self.networks:
            z, log_det = self._restored(network, z.flip(1))
            total = total + log_det
        return z, total

    patch.setattr(masked_autoregressive.MAF, "inverse", in_forward_order)


def _published(network, x):
    """Three networks of two hidden layers on four entries, one unit after another: each sees those of no higher degree."""
    p, kept, total = dict(network.named_parameters()), dict(network.named_buffers()), 0.0
    for number in range(3):
        known, degrees = list(x.unbind(1)), [1, 2, 3, 4]
        for layer, width in ((0, 6), (2, 5)):
            units = [1 + unit % 3 for unit in range(width)]
            weight, bias = p[f"networks.{number}.{layer}.weight"], p[f"networks.{number}.{layer}.bias"]
            known = [
                (bias[unit] + sum(weight[unit, i] * known[i] for i in range(len(known)) if degrees[i] <= units[unit])).relu()
                for unit in range(width)
            ]
            degrees = units
        weight, bias = p[f"networks.{number}.4.weight"], p[f"networks.{number}.4.bias"]
        mean, log_precision = (
            [bias[4 * part + d] + sum(weight[4 * part + d, i] * known[i] for i in range(5) if degrees[i] <= d) for d in range(4)]
            for part in (0, 1)
        )
        z = torch.stack([(log_precision[d] / 2).exp() * (x[:, d] - mean[d]) for d in range(4)], 1)
        total = total + sum(log_precision) / 2
        norm = f"norms.{number}"
        variance = kept[f"{norm}.moments.variance"] + 1e-5
        z = p[f"{norm}.log_scale"].exp() * (z - kept[f"{norm}.moments.mean"]) / variance.sqrt() + p[f"{norm}.offset"]
        x, total = z.flip(1), total + (p[f"{norm}.log_scale"] - variance.log() / 2).sum()
    return x, total


HELD = (
    Held(
        masked_autoregressive.PublishedMAF,
        Model(
            "PublishedMAF",
            "three layers",
            given(x=normal(3, 4)),
            sizes=dict(dim=4, layers=3, hidden=(6, 5), drawn_degrees=False, decay=0.9),
            relations={"the inverse undoes it": undone},
            apart=False,
            initial={
                "networks.*.weight": Initial("normal", scale=lambda inputs, outputs: (inputs + 1) ** -0.5),
                "*": begins_at(0),
            },
        ),
        _published,
    ),
)

MISTAKES = {
    "MAF": {
        "an entry sees itself": (entries_see_themselves, "output"),
        "log-scales without a bound": (put(masked_autoregressive, "bounded_log_scale", not_bounded), "output"),
        "the inverse in forward order": (inverse_in_forward_order, "the inverse undoes it"),
        "the last layers as torch has them": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    }
}
