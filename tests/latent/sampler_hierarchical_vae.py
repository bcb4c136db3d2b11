"""Images of the hierarchy: with linear priors and a decoder that shows z_1, pixels have the marginal law of the first level."""

import torch

from practice_torch.experiments.latent.hierarchical_vae import HierarchicalVaeExperiment
from practice_torch.latent.hierarchical_vae import LadderVariationalAutoencoder
from tests.support.samplers import built, normal_cdf, require_law


def draws_the_levels_from_the_last_to_the_first():
    """z_2 ~ N(0, 1) and z_1 ~ N(z_2, 1/4): z_1 has variance 5/4, and its distance from z_2 variance 1/4."""
    experiment = built("latent/hierarchical_vae", latent_dims=(64, 64))
    above = []

    def prior(level, z):
        above.append(z)
        return z, torch.full_like(z, 0.25).log()

    experiment.network.prior = prior
    experiment.network.decode = lambda z: z / 4
    z = 4 * experiment.sample(60)["prior_samples"].images.logit().flatten(1)
    require_law(above[0], normal_cdf(0.0, 1.0))
    require_law(z, normal_cdf(0.0, 1.25**0.5))
    require_law(z - above[0], normal_cdf(0.0, 0.5))


SAMPLERS = {
    draws_the_levels_from_the_last_to_the_first: {
        "uniform noise": (HierarchicalVaeExperiment._noise, "torch.randn(", "torch.rand("),
        "logits for probabilities": (HierarchicalVaeExperiment._shown, "torch.sigmoid(", "("),
        "the mean of the prior": (LadderVariationalAutoencoder.draw, "reparameterize(noises[level],", "reparameterize(0 * z,"),
        "the last level's noise again": (LadderVariationalAutoencoder.draw, "reparameterize(noises[level],", "reparameterize(z,"),
    }
}
