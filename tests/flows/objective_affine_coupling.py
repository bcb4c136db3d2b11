"""The objective of the experiment flows/affine_coupling, by functions with contracts."""

import math

import torch

from practice_torch.experiments.training.flows import PenalizedFlow
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.dequantization import bits_per_dimension, logit_forward, uniform_dequantize
from tests.support.data.spectra import SIZES
from tests.support.objectives import Objective, uniform


def flow(e, batch, phase, base=standard_normal_log_prob):
    """-log p of points in nats; of pixels the bits of their integers, with noise."""
    if "point" in batch:
        z, log_det = e.network(batch["point"])
        return -(base(z) + log_det).mean()
    image, levels = batch["image"], e.recipe.num_levels
    y = uniform_dequantize((image * (levels - 1)).round().long(), uniform(e, *image.shape), num_levels=levels)
    seen, of_logits = logit_forward(y.flatten(1), alpha=e.recipe.alpha) if e.recipe.alpha else (y.flatten(1) - 0.5, 0.0)
    z, log_det = e.network(seen)
    return bits_per_dimension(base(z) + log_det + of_logits, dim=image[0].numel(), num_levels=levels).mean()


def penalized(e, batch, phase, parameters):
    """-log p of images with noise on their pixels, in nats, and the squares of these parameters."""
    dim = batch["image"][0].numel()
    nats = flow(e, batch, phase) * math.log(2) * dim - dim * math.log(e.recipe.num_levels)
    return nats + e.recipe.l2 * torch.cat([part.flatten() for part in parameters]).square().sum()


def loss(e, batch, phase):
    """The published network is penalized for lengths of its kernels, and factors of log-scales but those between channels."""
    if not isinstance(e, PenalizedFlow):
        return flow(e, batch, phase)
    named = dict(e.network.named_parameters())
    return penalized(e, batch, phase, (
        part for name, part in named.items()
        if name.endswith("length") or name.endswith("factor") and not name.startswith("across")
    ))  # fmt: skip


# half of the squares is as large as the rest of the loss: each of them shows
OBJECTIVE = Objective(loss, unread={"points", "noises"}, together=[{"l2": 0.5}], sizes=dict(residual_blocks=1, width=4) | SIZES)
