"""Mistakes planted into the networks of latent/vae, each with the quantity in which a check finds it."""

from practice_torch.latent import vae
from tests.support.planted_networks import BEGINS, OTHERS, biases_at_zero, mean_of_the_batch

MISTAKES = {
    "VariationalAutoencoder": {
        "the batch mixes": (mean_of_the_batch(vae.VariationalAutoencoder), OTHERS),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
