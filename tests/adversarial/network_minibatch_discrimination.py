"""Mistakes planted into the network of adversarial/minibatch_discrimination, each with the quantity in which a check finds it."""

import torch

from practice_torch.adversarial import minibatch_discrimination as topic
from tests.support.planted_networks import BEGINS, put

SIMILARITIES, RANDN = topic.minibatch_discrimination, torch.randn


MISTAKES = {
    "BatchDiscriminator": {
        "a sample is not similar to itself": (
            put(topic, "minibatch_discrimination", lambda *given: SIMILARITIES(*given) - 1),
            "output",
        ),
        "deviations of no group": (
            put(topic, "minibatch_standard_deviation", lambda x, *, group_size: torch.cat([x, 0 * x[:, :1]], 1)),
            "output",
        ),
        "a tensor twice as wide": (put(torch, "randn", lambda *shape: 2 * RANDN(*shape)), BEGINS),
    }
}
