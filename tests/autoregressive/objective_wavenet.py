"""The objective of the experiment autoregressive/wavenet, by functions with contracts."""

import torch

from practice_torch.autoregressive.wavenet import mu_law_encode
from tests.autoregressive.objective_transformer import nats_per_token
from tests.support.objectives import Objective, uniform


def other_takes(e, sound):
    """Louder or quieter, and half of them with the opposite sign: [B, ..., T]."""
    if not e.recipe.loudness:
        return sound
    draws = uniform(e, 2, len(sound), *[1] * (sound.ndim - 1))
    gain = torch.minimum(((2 * draws[0] - 1) * e.recipe.loudness).exp(), 1 / sound.abs().amax(-1, keepdim=True))
    return (sound * torch.where(draws[1] < 0.5, -gain, gain)).clamp(-1, 1)


def codes_of_sounds(e, batch):
    return mu_law_encode(other_takes(e, batch["audio"][:, 0]), num_levels=e.recipe.levels)


def wavenet(e, batch, phase):
    codes = codes_of_sounds(e, batch)
    return nats_per_token(e.network(codes, batch["label"] if e.classes else None), codes)


OBJECTIVE = Objective(wavenet, sizes=dict(doublings=2, residual_channels=4, skip_channels=4, stacks=1))
