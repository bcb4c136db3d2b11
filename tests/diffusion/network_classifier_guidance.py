"""Mistakes planted into the networks of diffusion/classifier_guidance, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.networks import level_classifier
from tests.support.planted_networks import BEGINS, biases_at_zero, cosines_first, other_epsilon, put

MISTAKES = {
    "LevelClassifier": {
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "cosines first": (put(level_classifier, "sinusoidal_time_embedding", cosines_first), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
