"""Flows of several scales on images: initialized by the first batch, sampled at a temperature, inverted."""

from dataclasses import dataclass
from typing import Annotated

import torch

from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.engine.experiment import Metric
from practice_torch.experiments.training.flows import PixelFlow

TEMPERATURES = (0.5, 0.7, 0.85, 1.0)  # of the preview, a row each
CARRIED_BACK = 64  # held-out images of which the inverse is measured


@dataclass(frozen=True)
class Cooling(Bounded):
    """Options of sampling."""

    temperature: Annotated[float, AtLeast(0)] = 1.0
    """Factor of the noise; below 1 samples are less varied, and closer to the mode of the noise."""


class MultiscaleFlow(PixelFlow):
    """A flow of several scales, which begins where its normalizations standardize the channels of the first batch."""

    explains = PixelFlow.explains | {
        "inverse_error": Metric(
            "units of x", f"largest |x - f^-1(f(x))| of {CARRIED_BACK} held-out images, x their noisy pixels or logits of these"
        )
    }

    def __init__(self, recipe, network, shape):
        super().__init__(recipe, network, shape)
        self.sampling = Cooling()

    def start(self, batch):
        """Initialize the normalizations by the first batch: the parameters are then in the first checkpoint."""
        noise = torch.Generator().manual_seed(seed_of(self.recipe.seed, "start"))
        self.network.initialize(self.dequantized(batch["image"], noise)[0])

    def evaluate(self, data):
        """Bits per dimension, and how exactly images come back from their noise."""
        x = self._seen(data, CARRIED_BACK)
        error = (self.network.inverse(self.network(x)[0])[0] - x).abs().max()
        return super().evaluate(data) | {"inverse_error": float(error)}

    def preview(self, data):
        """Samples, the same noise at several temperatures, and paths between held-out images."""
        noise, side = self.noise(10), torch.linspace(0, 1, 10, device=next(self.network.parameters()).device)[:, None]
        cooled = torch.cat([temperature * noise for temperature in TEMPERATURES])
        ends, _ = self.network(self._seen(data, 16))
        half = len(ends) // 2
        paths = torch.lerp(ends[:half, None], ends[half : 2 * half, None], side).flatten(0, 1)
        words = ", ".join(map(str, TEMPERATURES))
        return self.sample(64) | {
            "temperatures": ImageGrid(self.images(cooled), 10, f"The same noise at the temperatures {words}, a row each"),
            "interpolations": ImageGrid(self.images(paths), 10, "Straight paths between the noises of held-out images"),
        }

    def sample(self, count):
        """Images from noise of the temperature in `sampling`."""
        temperature = self.sampling.temperature
        images = self.images(temperature * self.noise(count))
        return {"samples": ImageGrid(images, 8, f"Samples at temperature {temperature:g}")}

    def _seen(self, data, count):
        """Network inputs of the first held-out images."""
        image = data.batch(torch.arange(min(count, len(data))))["image"]
        return self.dequantized(image, self.generator)[0]
