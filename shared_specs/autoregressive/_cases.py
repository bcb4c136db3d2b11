"""Shared cases of the specs of autoregressive models: attention to compute by hand, padding, and the softmax."""

import numpy as np

from shared_specs.rows import LOG_3, normal

QUERY, KEY, VALUE = normal(2, 3, 4, 6), normal(2, 3, 5, 6), normal(2, 3, 5, 7)
# Two queries over three keys of width 4: raw scores log 9, 0, 0 and 0, log 9, 0 become log 3, 0, 0 and 0, log 3, 0.
LOG_9 = 2 * LOG_3
COIN_QUERY = [[[[LOG_9, 0.0, 0.0, 0.0], [0.0, LOG_9, 0.0, 0.0]]]]
COIN_KEY = [[[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]]]
COIN_VALUE = [[[[10.0, 1.0], [20.0, 0.0], [40.0, 0.0]]]]
# With one or two keys left the weights hardly move, and their gradient is a difference of two cotangents of order one.
# Padding at the end, a full row, a hole.
PADDED = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], dtype=bool)


def softmax(logits):
    """Probabilities of the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
