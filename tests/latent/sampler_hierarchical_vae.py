"""Images of the hierarchy: with linear priors and a decoder that shows z_1, pixels have the marginal law of the first level."""

import math

import torch

from practice_torch.experiments.codes.residual_images import ResidualImages
from practice_torch.experiments.latent.hierarchical_vae import HierarchicalVaeExperiment
from practice_torch.latent.hierarchical_vae import LadderVariationalAutoencoder
from tests.support.samplers import built, normal_cdf, require_law, require_shares


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


def draws_pixels_of_the_law():
    """Of three gray levels by a law that is the same for all: one wide component, and one that is all at the highest level."""
    experiment = built("latent/hierarchical_vae", "digits_residual", num_levels=3, components=2)
    numbers = torch.tensor([[0.5, -0.7], [0.3, 1.0], [-0.4, -9.0]])  # logits, means and log-scales
    asked = []

    def draw(noise):
        asked.append(noise)
        return numbers.flatten()[None, :, None, None].expand(len(noise), -1, 8, 8)

    experiment.network.draw = draw
    images = experiment.sample(60)["samples"].images
    require_law(asked[0], normal_cdf(0.0, 1.0))
    edges = ((torch.tensor([-0.5, 0.5]) - 0.3) * math.exp(0.4)).sigmoid()
    wide = torch.cat([edges[:1], edges.diff(), 1 - edges[1:]])
    shares = numbers[0].softmax(0)
    require_shares((2 * images).round().long(), shares[0] * wide + shares[1] * torch.tensor([0.0, 0.0, 1.0]))


SAMPLERS = {
    draws_the_levels_from_the_last_to_the_first: {
        "uniform noise": (HierarchicalVaeExperiment._noise, "torch.randn(", "torch.rand("),
        "logits for probabilities": (HierarchicalVaeExperiment._shown, "torch.sigmoid(", "("),
        "the mean of the prior": (LadderVariationalAutoencoder.draw, "reparameterize(noises[level],", "reparameterize(0 * z,"),
        "the last level's noise again": (LadderVariationalAutoencoder.draw, "reparameterize(noises[level],", "reparameterize(z,"),
    },
    draws_pixels_of_the_law: {
        "uniform latents": (ResidualImages._noise, "torch.randn(", "torch.rand("),
        "means for logits": (ResidualImages._mixture, "logits, mean, log_scale =", "mean, logits, log_scale ="),
        "scales of 1 or more": (ResidualImages._mixture, "min=_NARROWEST", "min=0.0"),
        "half as bright": (ResidualImages._drawn, "+ 1) / 2", "+ 1) / 4"),
        "one draw for component and value": (ResidualImages._drawn, "(*uniforms,", "(uniforms[0], uniforms[0],"),
    },
}
