"""Images of z from the prior: with a decoder that shows twice z, pixels have its law."""

import torch

from practice_torch.experiments.latent.anomaly_detection import AnomalyExperiment, Pixels
from tests.support.samplers import built, normal_cdf, require_law, require_same


def draws_z_from_the_prior():
    experiment = built("latent/anomaly_detection", "digits", latent_dim=64)
    experiment.network.decode = lambda z: 2 * z
    z = experiment.sample(60)["prior_samples"].images.logit().flatten(1) / 2
    require_law(z, normal_cdf(0.0, 1.0))
    require_same(z, torch.randn(60, 64, generator=torch.Generator().manual_seed(0)))


SAMPLERS = {
    draws_z_from_the_prior: {
        "uniform z": (AnomalyExperiment._noise, "torch.randn(", "torch.rand("),
        "logits for probabilities": (Pixels.decoded, "torch.sigmoid(logits)", "logits"),
        "squares of z": (AnomalyExperiment.sample, "self._noise(count)", "self._noise(count).square()"),
    }
}
