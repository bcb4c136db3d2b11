"""The objective of the experiment latent/denoising_autoencoder, by functions with contracts and torch.istft."""

import torch

from practice_torch.experiments.latent import denoising_autoencoder as experiment
from tests.support.objectives import Mistake, Objective, normal


def squared_error(e, batch, phase):
    """Of all pixels of an image, or of all samples of a sound."""
    x = batch["image"].flatten(1) if "image" in batch else batch["audio"][:, 0]
    noisy = x + e.recipe.sigma * normal(e, *x.shape)
    denoised = e.network(noisy) if "image" in batch else by_gains(e, noisy)
    return (denoised - x).square().sum(1).mean()


def by_gains(e, noisy):
    """The network sees log (|spectrum| / d + 0.1), d the deviation of noise in a spectrum with Hann's window."""
    size = e.recipe.window
    how = dict(n_fft=size, hop_length=size // 4, window=torch.hann_window(size))
    spectra = torch.stft(noisy, return_complex=True, **how)
    deviation = e.recipe.sigma * torch.hann_window(size).square().sum().sqrt()
    gains = 1 / (1 + (-e.network((spectra.abs() / deviation + 0.1).log().mT)).exp())
    return torch.istft(spectra * gains.mT, length=noisy.shape[1], **how)


OBJECTIVE = Objective(
    squared_error,
    unread={"walk_steps", "step_size"},
    sizes=dict(length=32, window=8),
    mistakes={
        "a variance for a deviation": Mistake(
            experiment, "corrupt_gaussian", lambda x, noise, *, sigma: x + sigma**2 * noise, {"sigma": 0.5}
        ),
        "pixels averaged": Mistake(
            experiment, "squared_reconstruction_error", lambda x, again: torch.nn.functional.mse_loss(again, x).expand(len(x))
        ),
        "the noisy image for the clean one": Mistake(
            experiment._DenoisingAutoencoder,  # noqa: SLF001 - both experiments have its method
            "forward",
            lambda self, batch, phase: (_of_itself(self, batch), {}),
        ),
    },
)


def _of_itself(e, batch):
    x = batch["image"].flatten(1)
    noisy = x + e.recipe.sigma * normal(e, *x.shape)
    return (e.network(noisy) - noisy).square().sum(1).mean()
