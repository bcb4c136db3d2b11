"""Mistakes planted into the networks of adversarial/dcgan, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.networks import dcgan
from tests.support.planted_networks import BEGINS, NEVER, other_epsilon, put


def slower_statistics(patch):
    """The running statistics take a hundredth of a batch instead of a tenth."""
    patch.setattr(dcgan, "_batch_norm", lambda channels: nn.BatchNorm2d(channels, eps=1e-5, momentum=0.01))


MISTAKES = {
    "Generator": {
        NEVER: (put(dcgan, "_initialize", lambda module: None), BEGINS),
        "another epsilon": (other_epsilon(nn.BatchNorm2d, 1e-3), "output"),
        "another momentum": (slower_statistics, "statistic"),
    },
    "Discriminator": {
        NEVER: (put(dcgan, "_initialize", lambda module: None), BEGINS),
        "plain rectifiers": (put(nn, "LeakyReLU", lambda slope: nn.ReLU()), "output"),
    },
}
