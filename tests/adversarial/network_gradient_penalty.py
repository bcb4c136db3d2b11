"""Mistakes planted into the networks of adversarial/gradient_penalty, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.networks import dcgan
from tests.support.planted_networks import BEGINS, NEVER, OTHERS, mean_of_the_batch, put

MISTAKES = {
    "Critic": {
        NEVER: (put(dcgan, "_keep_the_second_moment", lambda module: None), BEGINS),
        "plain rectifiers": (put(nn, "LeakyReLU", lambda slope: nn.ReLU()), "output"),
        "the batch mixes": (mean_of_the_batch(dcgan.Critic), OTHERS),
    }
}
