"""The objective of the experiment state_space/diagonal, by functions with contracts."""

import torch

from tests.autoregressive.objective_transformer import language, nats_per_token
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


OBJECTIVE = Objective(bytes_or_sounds, unread={"system_rate"})
