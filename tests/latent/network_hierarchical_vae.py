"""Mistakes planted into the network of latent/hierarchical_vae, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.latent import hierarchical_vae
from practice_torch.latent.hierarchical_vae import hierarchical_kl
from tests.support.planted_networks import BEGINS, OTHERS, biases_at_zero, mean_of_the_batch, put, without_residual


def _silent_cells(patch):
    plain = hierarchical_vae.ResidualCell.__init__

    def begin(self, width):
        plain(self, width)
        nn.init.zeros_(self.outer.weight)

    patch.setattr(hierarchical_vae.ResidualCell, "__init__", begin)


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
    },
    "ResidualLadder": {
        "the batch mixes": (mean_of_the_batch(hierarchical_vae.ResidualLadder), OTHERS),
        "cells that begin as the identity": (_silent_cells, BEGINS),
        "a posterior that is not relative": (
            put(
                hierarchical_vae.ResidualLadder,
                "_below",
                lambda network, level, h, noise, mean, log_var, plain=hierarchical_vae.ResidualLadder._below: plain(
                    network, level, h, noise, 0 * mean, log_var
                ),
            ),
            "output",
        ),
        "cells without their input": (without_residual(hierarchical_vae.ResidualCell), "output"),
        "the model's levels are drawn without noise": (
            put(
                hierarchical_vae.ResidualLadder,
                "draw",
                lambda network, noise, plain=hierarchical_vae.ResidualLadder.draw: plain(network, 0 * noise),
            ),
            "a posterior equal to its prior is drawn like the prior",
        ),
        "the rates of wider posteriors": (
            put(
                hierarchical_vae,
                "residual_gaussian_kl",
                lambda delta_mean, delta_log_var, prior_log_var: hierarchical_kl(
                    (delta_mean,), (delta_log_var,), (0 * delta_mean,), (prior_log_var,)
                )[:, 0],
            ),
            "output",
        ),
    },
}
