"""Walks of a denoiser that is the best one for Gaussian data have their law; sounds are those of the first batch, with noise."""

import math

import torch

from practice_torch.experiments.latent.denoising_autoencoder import (
    BandwidthExtension,
    ImageDenoiser,
    SoundDenoiser,
    _DenoisingAutoencoder,
)
from practice_torch.experiments.media.bandwidth import narrowed, widened, with_band
from practice_torch.experiments.media.short_time import level, transformed
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same

MEAN, DEVIATION, SIGMA = 0.4, 0.2, 0.2
VARIANCE = DEVIATION**2 + SIGMA**2  # of noisy data


def best(x):
    """E[x | noisy] of data with the law N(MEAN, DEVIATION^2)."""
    return MEAN + DEVIATION**2 / VARIANCE * (x - MEAN)


def walks_to_the_law_of_noisy_data_and_denoises():
    """Langevin steps of size h on a Gaussian of variance v settle on the variance v / (1 - h / (2 v))."""
    experiment = built("latent/denoising_autoencoder", "digits", sigma=SIGMA, step_size=0.5, walk_steps=60)
    experiment.network = Network(best)
    settled = VARIANCE / (1 - 0.5 * SIGMA**2 / (2 * VARIANCE))
    deviation = DEVIATION**2 / VARIANCE * math.sqrt(settled)
    require_law(experiment.sample(60)["walks"].images, normal_cdf(MEAN, deviation))


def walks_by_the_chain():
    """Three steps from uniform pixels with noise."""
    experiment = built("latent/denoising_autoencoder", "digits", sigma=0.3, step_size=0.1, walk_steps=3)
    experiment.network = Network(lambda x: torch.tanh(2 * x))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(5, 64, generator=generator)
    x = x + 0.3 * torch.randn(5, 64, generator=generator)
    for _ in range(3):
        x = x + 0.1 * (torch.tanh(2 * x) - x) + math.sqrt(2 * 0.1 * 0.09) * torch.randn(5, 64, generator=generator)
    require_same(experiment.sample(5)["walks"].images.flatten(1), torch.tanh(2 * x))


def adds_noise_to_sounds_of_the_first_batch():
    """With gains of a half what is denoised is half of what is noisy. Three sounds are kept in turn."""
    experiment = built("latent/denoising_autoencoder", "notes", sigma=0.02, length=64)
    experiment.network = Network(torch.zeros_like)
    sounds = 0.1 * torch.randn(3, 1, 64, generator=torch.Generator().manual_seed(1))
    experiment.start({"audio": sounds})
    found = experiment.sample(6)
    noisy, denoised = found["noisy"].samples, found["denoised"].samples
    wanted = sounds[[0, 1, 2, 0, 0, 1], 0]
    require_law(noisy - wanted, normal_cdf(0.0, 0.02))
    require_same(denoised, noisy / 2)


def keeps_the_low_band_and_fills_the_other():
    """Whatever the network gives, the low rate of a sound is the kept one; above there is what it gives, or nothing."""
    experiment = built("latent/denoising_autoencoder", "notes_bandwidth", length=1024, window=64)
    time = torch.arange(1024) / 8000
    sounds = torch.stack([0.4 * torch.sin(2 * math.pi * pitch * time) for pitch in (300, 500, 700)])[:, None]
    experiment.start({"audio": sounds})
    low = narrowed(sounds[:, 0], 4)
    for wanted in (0.0, 0.5):
        experiment.network = Network(lambda seen, wanted=wanted: torch.full((*seen.shape[:2], 24), wanted))
        order = [0, 1, 2, 0, 0]
        found = experiment.sample(5)
        narrow, extended = (found[name].samples for name in ("narrow", "extended"))
        require_same(narrow, widened(low[order], 4))
        require_same(narrowed(extended, 4), low[order])
        above = level(transformed(extended, 64).abs())[:, 12:, 8:-8]
        assert (above.mean() - wanted).abs() < 0.1, f"levels of {above.mean():.2f} where {wanted} were asked"


SAMPLERS = {
    keeps_the_low_band_and_fills_the_other: {
        "the first sound only": (BandwidthExtension.sample, "% _HEARD", "* 0"),
        "levels for magnitudes": (BandwidthExtension.extended, "magnitude_of(self._above(low))", "self._above(low)"),
        "the low band not put back": (with_band, "base + x - widened(narrowed(x, factor), factor)", "x"),
        "nothing added": (BandwidthExtension.extended, "magnitude_of(self._above(low))", "0 * self._above(low)"),
    },
    walks_to_the_law_of_noisy_data_and_denoises: {
        "noise of half the variance": (ImageDenoiser.sample, "math.sqrt(2 * h)", "math.sqrt(h)"),
        "down the score": (ImageDenoiser.sample, "+ h * score", "- h * score"),
        "noisy images": (ImageDenoiser.sample, "self._images(self.denoised(x))", "self._images(x)"),
        "steps in units of the deviation": (ImageDenoiser.sample, "sigma**2", "sigma"),
    },
    walks_by_the_chain: {
        "from noise alone": (ImageDenoiser.sample, "torch.rand(shape", "0 * torch.rand(shape"),
        "a step less": (ImageDenoiser.sample, "range(self.recipe.walk_steps)", "range(self.recipe.walk_steps - 1)"),
    },
    adds_noise_to_sounds_of_the_first_batch: {
        "uniform noise": (_DenoisingAutoencoder._noise, "torch.randn(", "torch.rand("),
        "the first sound only": (SoundDenoiser.sample, "% _HEARD", "* 0"),
        "a window for its square": (SoundDenoiser.denoised, "weights = self.window.square()", "weights = self.window"),
        "the padding kept": (SoundDenoiser.denoised, "size // 2 : size // 2 + length", ":length"),
    },
}
