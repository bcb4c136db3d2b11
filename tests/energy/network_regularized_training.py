"""Mistakes planted into the networks of energy/regularized_training, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.energy import regularized_training
from tests.support.planted_networks import BEGINS, OTHERS, biases_at_zero, mean_of_the_batch, put


def without_confinement(patch):
    patch.setattr(regularized_training.EnergyMLP, "forward", lambda self, x: self.network(x.flatten(1))[:, 0])


MISTAKES = {
    "EnergyMLP": {
        "no confinement": (without_confinement, "output"),
        "rectifiers": (put(nn, "SiLU", nn.ReLU), "output"),
        "the batch mixes": (mean_of_the_batch(regularized_training.EnergyMLP), OTHERS),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
