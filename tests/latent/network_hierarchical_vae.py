"""Mistakes planted into the network of latent/hierarchical_vae, each with the quantity in which a check finds it."""

from practice_torch.latent import hierarchical_vae
from tests.support.planted_networks import BEGINS, OTHERS, biases_at_zero, mean_of_the_batch, put

MISTAKES = {
    "LadderVariationalAutoencoder": {
        "the batch mixes": (mean_of_the_batch(hierarchical_vae.LadderVariationalAutoencoder), OTHERS),
        "biases at zero": (biases_at_zero, BEGINS),
        "the message for the posterior": (
            put(hierarchical_vae, "precision_weighted_product", lambda mean_a, log_var_a, mean_b, log_var_b: (mean_b, log_var_b)),
            "output",
        ),
        "the model's levels are drawn without noise": (
            put(
                hierarchical_vae.LadderVariationalAutoencoder,
                "draw",
                lambda network, noise: network.prior(0, noise.split(network.latent_dims, 1)[-1])[0],
            ),
            "the first level is drawn from its prior, given the second",
        ),
        "log-variances without a limit": (put(hierarchical_vae, "soft_clip", lambda x: x), "output"),
    }
}
