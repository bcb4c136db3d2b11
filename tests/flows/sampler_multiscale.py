"""Images of Glow at temperatures, of the same noise at several of them, and on straight paths between held-out images' noises."""

import torch

from practice_torch.experiments.training.multiscale_flow import Cooling, MultiscaleFlow
from tests.support.samplers import built, moved, require_same

ALPHA = 0.2


def _glow():
    return moved(built("flows/multiscale", "digits", num_levels=5, alpha=ALPHA))


def _images(experiment, noise):
    """Of noise, written out."""
    y = experiment.network.inverse(noise)[0].view(len(noise), 1, 8, 8)
    return (5 * (y.sigmoid() - ALPHA / 2) / (1 - ALPHA)).floor().clamp(0, 4) / 4


def _normal(count, generator):
    return torch.special.ndtri(torch.rand(count, 64, generator=generator))


def draws_images_of_cooled_noise():
    experiment = _glow()
    experiment.sampling = Cooling(temperature=0.6)
    noise = _normal(3, torch.Generator().manual_seed(0))
    require_same(experiment.network(experiment.network.inverse(noise)[0])[0], noise)
    require_same(experiment.sample(3)["samples"].images, _images(experiment, 0.6 * noise))


def previews_temperatures_and_paths():
    """Ten noises at 0.5, 0.7, 0.85 and 1; ten places on each path from one of eight held-out images to one of the next eight."""
    experiment, held_out = _glow(), torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    found = experiment.preview(_Data(held_out))
    generator = torch.Generator().manual_seed(0)
    noise = _normal(10, generator)
    cooled = torch.cat([temperature * noise for temperature in (0.5, 0.7, 0.85, 1.0)])
    require_same(found["temperatures"].images, _images(experiment, cooled))
    ends, _ = experiment.network(experiment.dequantized(held_out, generator)[0])
    paths = torch.stack([(1 - k / 9) * ends[:8] + k / 9 * ends[8:] for k in range(10)], 1)
    require_same(found["interpolations"].images, _images(experiment, paths.flatten(0, 1)))
    require_same(found["samples"].images, _images(experiment, _normal(64, generator)))


class _Data:
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def batch(self, rows):
        return {"image": self.images[rows]}


SAMPLERS = {
    draws_images_of_cooled_noise: {
        "no temperature": (MultiscaleFlow.sample, "temperature * self.noise", "self.noise"),
        "divided by it": (MultiscaleFlow.sample, "temperature * self.noise(count)", "self.noise(count) / temperature"),
    },
    previews_temperatures_and_paths: {
        "another noise for each": (MultiscaleFlow.preview, "temperature * noise for", "temperature * self.noise(10) for"),
        "paths to themselves": (MultiscaleFlow.preview, "ends[half : 2 * half, None]", "ends[:half, None]"),
        "half of the paths": (MultiscaleFlow.preview, "torch.linspace(0, 1, 10", "torch.linspace(0, 0.5, 10"),
    },
}
