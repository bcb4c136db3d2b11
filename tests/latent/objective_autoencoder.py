"""The objective of the experiment latent/autoencoder, by functions with contracts."""

import torch

from practice_torch.experiments.latent import autoencoder as experiment
from practice_torch.latent.hierarchical_vae import soft_clip
from tests.support.objectives import Mistake, Objective


def squared_error(e, batch, phase):
    """Of all pixels of an image: by the networks, or through two matrices around a mean."""
    x = batch["image"].flatten(1)
    if phase == "deep":
        again = e.decoder(e.encoder(x))
    else:
        down, up = e.linear
        again = up.bias + (x - up.bias) @ down.weight.mT @ up.weight.mT
    return (x - again).square().sum(1).mean()


OBJECTIVE = Objective(
    squared_error,
    mistakes={
        "pixels averaged": Mistake(
            experiment, "squared_reconstruction_error", lambda x, again: torch.nn.functional.mse_loss(again, x).expand(len(x))
        ),
        "no mean": Mistake(experiment, "linear_autoencoder", lambda x, encoder, decoder, mean: x @ encoder.mT @ decoder.mT),
        "clipped": Mistake(
            experiment, "squared_reconstruction_error", lambda x, again: (x - soft_clip(again, limit=0.1)).square().sum(1)
        ),
    },
)
