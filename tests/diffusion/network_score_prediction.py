"""Mistakes planted into the networks of diffusion/score_prediction, each with the quantity in which a check finds it."""

from practice_torch.diffusion import score_prediction
from tests.support.planted_networks import BEGINS, biases_at_zero, cosines_first, put

MISTAKES = {
    "VelocityNetwork": {
        "cosines first": (put(score_prediction, "sinusoidal_time_embedding", cosines_first), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
