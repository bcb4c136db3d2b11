"""Images of z from the prior: with a decoder that shows twice z, pixels have its law; and the sounds of spectra."""

import torch

from practice_torch.experiments.latent.vae import SoundVae, VaeExperiment
from practice_torch.experiments.media import heard
from tests.support.data.spectra import doubles, require_sounds
from tests.support.samplers import built, normal_cdf, require_law, require_same


def draws_z_from_the_prior():
    experiment = built("latent/vae", latent_dim=64)
    experiment.network.decode = lambda z: 2 * z
    images = experiment.sample(60)["prior_samples"].images
    assert images.shape == (60, 1, 8, 8)
    z = images.logit().flatten(1) / 2
    require_law(z, normal_cdf(0.0, 1.0))
    require_same(z, torch.randn(60, 64, generator=torch.Generator().manual_seed(0)))


def plays_the_spectra_that_it_draws():
    with doubles():
        experiment = built("latent/vae", "notes")
        found, generator = experiment.sample(3), torch.Generator().manual_seed(0)
        torch.randn(3, experiment.recipe.latent_dim, generator=generator)
        require_sounds(found["sounds"].samples, found["prior_samples"].images, experiment.recipe, generator)


SAMPLERS = {
    draws_z_from_the_prior: {
        "uniform z": (VaeExperiment._noise, "torch.randn(", "torch.rand("),
        "logits for probabilities": (VaeExperiment._shown, "torch.sigmoid(", "("),
        "z half as wide": (VaeExperiment.sample, "self._noise(len(rows))", "self._noise(len(rows)) / 2"),
    },
    plays_the_spectra_that_it_draws: {
        "sounds of others": (SoundVae.sample, "images,", "images.flip(0),"),
        "no iteration": (heard.griffin_lim, "range(rounds)", "range(0)"),
        "phases of a half turn": (heard.griffin_lim, "2 * math.pi", "math.pi"),
        "black that is heard": (heard.heard, ".clamp(0, 1)", ".clamp(0.5, 1)"),
    },
}
