"""Mistakes planted into the networks of state_space/selective, each with the quantity in which a check finds it."""

from torch import nn
from torch.nn import functional

from practice_torch.state_space import selective
from tests.support.planted_networks import BEGINS, FUTURE, OTHERS, mean_of_the_batch, other_epsilon, put, without_residual


def convolution_sees_ahead(patch):
    """Padding is divided between both ends."""
    pad = functional.pad
    patch.setattr(functional, "pad", lambda x, amounts: pad(x, (amounts[0] - 1, 1)) if amounts[0] else pad(x, amounts))


def decays_alike(patch):
    """-1 for every state of a channel."""
    plain = selective.MambaBlock.__init__

    def begin(self, **sizes):
        plain(self, **sizes)
        nn.init.zeros_(self.log_negative_a)

    patch.setattr(selective.MambaBlock, "__init__", begin)


MISTAKES = {
    "MambaBlock": {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "the next step is seen": (convolution_sees_ahead, FUTURE),
        "another epsilon": (other_epsilon(nn.RMSNorm, 1e-6), "output"),
        "all states decay alike": (decays_alike, BEGINS),
        "the batch mixes": (mean_of_the_batch(selective.MambaBlock), OTHERS),
    },
    "MambaDecoder": {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "weights in place of norms": (put(nn.RMSNorm, "forward", lambda self, x: x * self.weight), "output"),
        "all states decay alike": (decays_alike, BEGINS),
    },
}
