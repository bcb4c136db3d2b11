"""As latent/vae; checkerboards by four loops over a picture's sub-lattices."""

import torch

from tests.latent import metrics_vae
from tests.latent.metrics_vae import logs, pixels, preview  # noqa: F401 - logged and drawn alike
from tests.support.metrics import mean, noise


def checkerboard(images):
    """The variance of the means of the four sub-lattices over that of all pixels, each summed over images and channels."""
    of_lattices, of_pixels = [], []
    for channel in images.flatten(0, 1):
        parts = torch.stack([channel[i::2, j::2].mean() for i in (0, 1) for j in (0, 1)])
        of_lattices.append((parts - parts.mean()).square().mean())
        of_pixels.append((channel - channel.mean()).square().mean())
    return mean(of_lattices) / mean(of_pixels)


def evaluate(e, data):
    real = pixels(e, data.batch()["image"]).unflatten(1, e.shape)
    made = e.network.decode(noise(e, 500, e.recipe.latent_dim)).sigmoid().unflatten(1, e.shape)
    found = {"checkerboard": checkerboard(made), "checkerboard_real": checkerboard(real)}
    return found | metrics_vae.evaluate(e, data)
