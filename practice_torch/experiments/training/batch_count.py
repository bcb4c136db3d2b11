"""For an experiment whose training has stages: how many batches it has seen, and a loss for what waits."""

import torch
from torch import nn


class BatchCount(nn.Module):
    """A count that is saved with the model: int(count), and count.advance() after each batch."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.tensor(0))
        self._host = None  # the same number, once known: asking the buffer would stop a GPU in every step
        self.register_load_state_dict_post_hook(lambda count, _: setattr(count, "_host", None))

    def __int__(self):
        if self._host is None:
            self._host = int(self.seen)
        return self._host

    def advance(self):
        self._host = int(self) + 1
        self.seen += 1


def nothing_of(idle):
    """0, whose gradient is 0: optimizers, and several processes, expect a gradient of every parameter in every step."""
    return 0.0 * sum(parameter.sum() for parameter in idle.parameters())
