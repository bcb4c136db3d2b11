"""The objective of the experiment autoregressive/pixelcnn, by functions with contracts."""

import torch

from practice_torch.experiments.autoregressive.pixelcnn import BitPixels
from tests.autoregressive.objective_transformer import nats_per_token
from tests.support.objectives import Objective


def levels_of_pixels(e, batch, phase):
    codes = (batch["image"] * (e.recipe.num_levels - 1)).round().long()
    if isinstance(e, BitPixels):
        codes = torch.bernoulli(batch["image"], generator=e.generator).long()
    logits = e.network(codes, batch["label"] if e.classes else None)
    return nats_per_token(logits.flatten(1, 3), codes.flatten(1))


OBJECTIVE = Objective(levels_of_pixels)
