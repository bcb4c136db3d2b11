"""The objective of the experiment latent/vae, by functions with contracts."""

import math

import torch

from practice_torch.experiments.latent import vae as experiment
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import (
    bernoulli_log_likelihood,
    calibrated_gaussian_negative_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
)
from tests.support.data.spectra import SIZES
from tests.support.objectives import Mistake, Objective, normal, pixels


def parts_of_the_bound(e, batch):
    """(log p(x | z), mean, log-variance, z): binary pixels are Bernoulli, others Gaussian about sigma(logits)."""
    x = pixels(e, batch)
    mean, log_var = e.network.encode(x)
    z = reparameterize(normal(e, *mean.shape), mean, log_var)
    logits = e.network.decode(z)
    if e.recipe.pixels == "gaussian":
        return of_gaussian(e, x, logits), mean, log_var, z
    if e.recipe.pixels == "real":
        return -calibrated_gaussian_negative_log_likelihood(x, logits.sigmoid()), mean, log_var, z
    return bernoulli_log_likelihood(x, logits), mean, log_var, z


def of_gaussian(e, x, logits):
    """log p(x | z) with the recipe's deviation."""
    return gaussian_log_likelihood(x, logits.sigmoid(), torch.full_like(x, math.log(e.recipe.deviation**2)))


def vae(e, batch, phase):
    log_likelihood, mean, log_var, _ = parts_of_the_bound(e, batch)
    return (kl_to_standard_normal(mean, log_var) - log_likelihood).mean()


MISTAKES = {
    "real pixels, Bernoulli loss": Mistake(
        experiment.VaeExperiment,
        "_log_likelihood",
        lambda self, x, logits: bernoulli_log_likelihood(x, logits),
        dict(pixels="real"),
    ),
    "pixels averaged": Mistake(
        experiment,
        "bernoulli_log_likelihood",
        lambda x, logits: -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").mean(-1),
    ),
}
# the channels are those of a network that tests/latent/network_convolutional_vae.py compares with its formula
OBJECTIVE = Objective(vae, unread={"samples", "channels"}, mistakes=MISTAKES, sizes=SIZES)
