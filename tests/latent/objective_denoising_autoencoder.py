"""The objective of the experiment latent/denoising_autoencoder, by functions with contracts and torch.istft."""

import math

import torch

from practice_torch.experiments.latent import denoising_autoencoder as experiment
from tests.support.objectives import Mistake, Objective, normal


def squared_error(e, batch, phase):
    """Of all pixels of an image, or of all samples of a sound; or the mean of the levels that a low rate lacks."""
    if hasattr(e.recipe, "factor"):
        return of_the_missing_band(e, batch["audio"][:, 0])
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


def of_the_missing_band(e, x):
    """The network sees a spectrum's levels up to the band of the low rate, of the sound that is resampled to it and back."""
    size, factor = e.recipe.window, e.recipe.factor
    wide, first = levels(x, size), size // 2 // factor + 1
    seen = levels(without(x, factor), size)[:, :, :first]
    return (wide[:, :, first:] - e.network(seen)).square().mean()


def without(x, factor):
    """The sound as a sum of its waves below half of the low rate."""
    size = x.shape[1]
    phase = 2 * math.pi / size * torch.arange(size)
    waves = torch.stack([turn(k * phase) for k in range(1, (size // factor + 1) // 2) for turn in (torch.cos, torch.sin)])
    return x.mean(1, keepdim=True) + 2 / size * (x @ waves.to(x).T) @ waves.to(x)


def levels(x, size):
    """[B, S, F]: log10 of amplitudes, to which 0.001 is added, over 3, and 1; of Hann's windows a quarter apart."""
    hann, found = torch.hann_window(size, dtype=x.dtype), []
    wave = torch.nn.functional.pad(x[:, None], (size // 2, size // 2), "reflect")[:, 0]
    for begin in range(0, wave.shape[1] - size + 1, size // 4):
        amplitude = 2 * torch.fft.rfft(wave[:, begin : begin + size] * hann).abs() / hann.sum()
        found.append(1 + torch.log10(amplitude + 0.001) / 3)
    return torch.stack(found, 1)


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
