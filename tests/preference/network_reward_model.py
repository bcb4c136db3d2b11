"""Mistakes planted into the networks of preference/reward_model, each with the quantity in which a check finds it."""

import torch
from torch import nn

from practice_torch.preference import reward_model
from tests.support.planted_networks import BEGINS, EVALUATED, OTHERS, always_in_training, mean_of_the_batch, put, twice_as_wide


def rewards_the_last_position(patch):
    """Including padding."""
    read = reward_model.sequence_reward
    patch.setattr(reward_model, "sequence_reward", lambda hidden, mask, *head: read(hidden, torch.ones_like(mask), *head))


MISTAKES = {
    "RewardModel": {
        "the last position": (rewards_the_last_position, "output"),
        "dropout in evaluation": (always_in_training(reward_model.RewardModel), EVALUATED),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
        "the batch mixes": (mean_of_the_batch(reward_model.RewardModel), OTHERS),
    }
}
