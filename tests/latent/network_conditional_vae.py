"""Mistakes planted into the networks of latent/conditional_vae, each with the quantity in which a check finds it."""

from practice_torch.latent import conditional_vae
from tests.support.planted_networks import BEGINS, OTHERS, biases_at_zero, mean_of_the_batch


def blind_decoder(patch):
    """The label that the decoder is given is always the first."""
    plain = conditional_vae.ConditionalAutoencoder.decode
    patch.setattr(conditional_vae.ConditionalAutoencoder, "decode", lambda self, z, labels: plain(self, z, 0 * labels))


MISTAKES = {
    "ConditionalAutoencoder": {
        "the batch mixes": (mean_of_the_batch(conditional_vae.ConditionalAutoencoder), OTHERS),
        "a decoder without the label": (blind_decoder, "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
