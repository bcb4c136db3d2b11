"""The objective of the experiment state_space/diagonal, by functions with contracts."""

import torch

from tests.autoregressive.objective_transformer import language, nats_per_token, tokens_of_pixels
from tests.autoregressive.objective_wavenet import codes_of_sounds
from tests.support.objectives import Objective


def bytes_or_sounds(e, batch, phase):
    """Sounds: silence, and then the codes, each of which is one of the levels; the tokens behind these are the classes."""
    if "tokens" in batch:
        return language(e, batch, phase)
    codes, levels = codes_of_sounds(e, batch), e.recipe.levels
    conditions = [levels + batch["label"]] if e.classes else []
    before = torch.column_stack([torch.full((len(codes),), levels // 2), codes[:, :-1]])
    return nats_per_token(e.network(before, *conditions)[..., :levels], codes)


def of_any_kind(e, batch, phase):
    """Pixels: the token of the class begins the sequence, and is the condition of all of it."""
    if "image" not in batch:
        return bytes_or_sounds(e, batch, phase)
    tokens = tokens_of_pixels(e, batch)
    return nats_per_token(e.network(tokens[:, :-1], tokens[:, 0])[..., : e.recipe.num_levels], tokens[:, 1:])


OBJECTIVE = Objective(of_any_kind, unread={"system_rate"}, sizes=dict(factors=(2,), layers=1))
