"""Images of the classes in turn: with a decoder that shows z and the class, pixels have the law of its prior; and sounds."""

import torch

from practice_torch.experiments.latent.conditional_vae import ConditionalSoundVae, ConditionalVaeExperiment
from tests.support.data.spectra import doubles, require_sounds
from tests.support.samplers import built, normal_cdf, require_law


def draws_z_from_the_prior_of_each_class():
    """N(label, e^label), of which the decoder shows z + 3 label, a quarter of it in logits."""
    experiment = built("latent/conditional_vae", latent_dim=64)

    def prior(labels):
        rows = labels[:, None].expand(-1, 64).float()
        return rows, rows - 1

    experiment.network.prior = prior
    experiment.network.decode = lambda z, labels: (z + 3 * labels[:, None]) / 4
    logits = 4 * experiment.sample(90)["samples"].images.logit()
    assert logits.shape == (90, 1, 8, 8)
    for label in range(3):
        require_law(logits[label::3] - 3 * label, normal_cdf(label, torch.tensor((label - 1) / 2).exp()))


def plays_the_spectra_that_it_draws():
    with doubles():
        experiment = built("latent/conditional_vae", "notes")
        found, generator = experiment.sample(4), torch.Generator().manual_seed(0)
        torch.randn(4, experiment.recipe.latent_dim, generator=generator)
        require_sounds(found["sounds"].samples, found["samples"].images, experiment.recipe, generator)


SAMPLERS = {
    draws_z_from_the_prior_of_each_class: {
        "one class": (ConditionalVaeExperiment.sample, "% self.classes)", "* 0)"),
        "one prior": (ConditionalVaeExperiment.drawn, "network.prior(labels)", "network.prior(0 * labels)"),
        "mean and log-variance exchanged": (ConditionalVaeExperiment.drawn, "mean, log_var), labels", "log_var, mean), labels"),
        "decoded as the first class": (ConditionalVaeExperiment._decoded, "decode(z, labels)", "decode(z, 0 * labels)"),
        "uniform noise": (ConditionalVaeExperiment._noise, "torch.randn(", "torch.rand("),
    },
    plays_the_spectra_that_it_draws: {
        "sounds of others": (ConditionalSoundVae.sample, '"samples"].images', '"samples"].images.flip(0)')
    },
}
