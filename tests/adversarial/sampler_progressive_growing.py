"""Images of a generator that shows its noise have the noise's law, at every size."""

import torch

from practice_torch.engine.stages import place_at
from practice_torch.experiments.adversarial.progressive_growing import GrowingGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_images_of_normal_noise():
    experiment = _at(step=1, latent=64)
    experiment.generator_network = Network(lambda z, level, alpha: torch.tanh(z / 3).view(-1, 1, 8, 8) / 2)
    images = experiment.sample(60)["fakes"].images
    require_law(3 * torch.atanh(2 * (2 * images.double() - 1)), normal_cdf(0.0, 1.0))


def enlarges_small_images():
    """Each pixel of the coarsest images is a block."""
    experiment = _at(step=0, latent=16)
    experiment.generator_network = Network(lambda z, level, alpha: torch.tanh(z / 3).view(-1, 1, 4, 4) / 2)
    images = experiment.sample(60)["fakes"].images
    small = images[:, :, ::2, ::2]
    require_same(images, small.repeat_interleave(2, 2).repeat_interleave(2, 3))
    require_law(3 * torch.atanh(2 * (2 * small.double() - 1)), normal_cdf(0.0, 1.0))


def _at(step, **changes):
    experiment = built("adversarial/progressive_growing", "digits", **changes)
    experiment.place = place_at(experiment.recipe.stages(), step)
    return experiment


SAMPLERS = {
    draws_images_of_normal_noise: {
        "uniform noise": (GrowingGan._fakes, "torch.randn(", "torch.rand("),
        "pixels in -1..1": (GrowingGan._shown, "low=0.0,", "low=-1.0,"),
    },
    enlarges_small_images: {
        "by zeros": (GrowingGan._shown, "interpolate(self._drawn(count),", 'interpolate(self._drawn(count), mode="bilinear",')
    },
}
