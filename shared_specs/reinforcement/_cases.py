"""Shared cases of the specs of reinforcement learning: random processes, and a process solved by hand."""

import numpy as np

from shared_specs.rows import Recipe


def probabilities(*shape):
    """Rows of probabilities over the last axis, all of them positive."""

    def draw(rng):
        weights = rng.exponential(size=shape)
        return weights / weights.sum(axis=-1, keepdims=True)

    return Recipe(draw)


# Two states; the action 0 stays, the action 1 moves to the other state. Only staying in state 1 is rewarded.
STAY_OR_MOVE = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
REWARD = [[0.0, 0.0], [1.0, 0.0]]
EVEN = np.log([[0.5, 0.5], [0.5, 0.5]])
