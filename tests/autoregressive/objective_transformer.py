"""The objective of the experiment autoregressive/transformer, by functions with contracts."""

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from tests.support.objectives import Objective


def nats_per_token(logits, tokens):
    return -sequence_log_prob(tokens, logits, None).mean() / tokens.shape[1]


def language(e, batch, phase):
    network = e.network if phase == "train" else getattr(e, phase)
    return nats_per_token(network(batch["tokens"][:, :-1]), batch["tokens"][:, 1:])


def tokens_of_pixels(e, batch):
    """The token of the class, or of all images; then the levels, row by row, those of a pixel's colors after each other."""
    levels = e.recipe.num_levels
    codes = (batch["image"] * (levels - 1)).round().long().permute(0, 2, 3, 1).flatten(1)
    first = levels + batch["label"] if e.classes else torch.full_like(codes[:, 0], levels)
    return torch.column_stack([first, codes])


def text_or_pixels(e, batch, phase):
    if "tokens" in batch:
        return language(e, batch, phase)
    tokens = tokens_of_pixels(e, batch)
    return nats_per_token(e.network(tokens[:, :-1])[..., : e.recipe.num_levels], tokens[:, 1:])


# 256 tokens need no padding, and padding has no effect on a loss (tests/autoregressive/test_transformer.py)
OBJECTIVE = Objective(text_or_pixels, unread={"pad_vocabulary"}, sizes=dict(heads=2, key_value_heads=1))
