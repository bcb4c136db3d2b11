"""The objective of the experiment adversarial/bigan, by functions with contracts."""

import torch

from practice_torch.adversarial.bigan import bigan_discriminator_loss, bigan_generator_encoder_loss
from tests.support.objectives import Objective, normal


def bigan(e, batch, phase):
    x = 2 * batch["image"].flatten(1) - 1
    z = normal(e, len(x), e.recipe.latent)
    made, code = torch.tanh(e.generator_network(z)), e.encoder(x)
    logits = [e.discriminator(torch.cat(pair, dim=1))[:, 0] for pair in ((x, code), (made, z))]
    if phase == "discriminator":
        return bigan_discriminator_loss(*logits).mean()
    cycle = (torch.tanh(e.generator_network(code)) - x).square().mean()
    return bigan_generator_encoder_loss(*logits).mean() + e.recipe.cycle_weight * cycle


OBJECTIVE = Objective(bigan, unread={"fakes"})
