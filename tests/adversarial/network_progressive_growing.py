"""Mistakes planted into the networks of adversarial/progressive_growing, each with the quantity in which a check finds it."""

import torch

from practice_torch.adversarial import progressive_growing as topic
from tests.support.planted_networks import BEGINS, put

FADE, RANDN = topic.fade_in, torch.randn
WIDE = (put(torch, "randn", lambda *shape: 2 * RANDN(*shape)), BEGINS)

MISTAKES = {
    "GrowingGenerator": {
        "shares exchanged": (put(topic, "fade_in", lambda low, high, *, alpha: FADE(low, high, alpha=1 - alpha)), "output"),
        "features are not normalized": (put(topic, "_normalized", topic._activated), "output"),
        "weights twice as wide": WIDE,
    },
    "GrowingCritic": {
        "shares exchanged": (put(torch, "lerp", lambda low, high, alpha: alpha * low + (1 - alpha) * high), "output"),
        "no deviation of the batch": (
            put(topic, "minibatch_standard_deviation", lambda x, *, group_size: torch.cat([x, 0 * x[:, :1]], 1)),
            "output",
        ),
        "weights twice as wide": WIDE,
    },
}
