"""The objective of the experiment latent/anomaly_detection, by functions with contracts."""

import math

import torch

from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal
from tests.support.objectives import Objective, normal


def of_normal_examples(e, batch, phase):
    """The mean negative ELBO of all examples but those of the class that is left out."""
    if "image" in batch:
        x = (batch["image"] > e.recipe.threshold).double().flatten(1)
        normal_ones = (batch["label"] != e.recipe.anomaly).nonzero()[:, 0]
    else:
        size = min(512, batch["audio"].shape[-1])
        window = torch.hann_window(size)
        spectra = torch.stft(batch["audio"][:, 0], size, size // 2, window=window, return_complex=True)
        x, normal_ones = (spectra.abs() + 0.1).log().flatten(1), torch.arange(len(spectra))
    mean, log_var = e.network.encode(x)
    output = e.network.decode(reparameterize(normal(e, *mean.shape), mean, log_var))
    if "image" in batch:
        log_likelihood = bernoulli_log_likelihood(x, output)
    else:
        log_likelihood = gaussian_log_likelihood(x, output, torch.full_like(x, 2 * math.log(e.recipe.deviation)))
    return (kl_to_standard_normal(mean, log_var) - log_likelihood)[normal_ones].mean()


OBJECTIVE = Objective(of_normal_examples, unread={"score_draws", "shift", "click"}, sizes=dict(anomaly=1, score_draws=2))
