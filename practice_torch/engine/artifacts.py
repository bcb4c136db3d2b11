"""What a model shows of itself: grids of images, figures, text; and how each is written to a file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

SHORTEST_SIDE = 56  # pixels: a smaller image is enlarged by whole factors, so that an 8x8 digit can be seen


@dataclass(frozen=True)
class ImageGrid:
    """Images [N, C, H, W] in 0..1 (C is 1 or 3), row by row."""

    images: torch.Tensor
    columns: int
    caption: str = ""
    suffix = ".png"

    def save(self, path):
        from PIL import Image

        images = self.images.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
        count, channels, height, width = images.shape
        factor = max(1, -(-SHORTEST_SIDE // min(height, width)))
        images = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
        rows, gap = -(-count // self.columns), 2
        tall, wide = height * factor + gap, width * factor + gap
        canvas = np.full((rows * tall + gap, self.columns * wide + gap, 3), 96, dtype=np.uint8)
        for index, image in enumerate(images.numpy()):
            top, left = index // self.columns * tall + gap, index % self.columns * wide + gap
            canvas[top : top + tall - gap, left : left + wide - gap] = image
        Image.fromarray(canvas).save(path, format="PNG")


@dataclass(frozen=True)
class Figure:
    """A matplotlib drawing: `draw(axes)` fills one pair of axes."""

    draw: Callable
    caption: str = ""
    size: tuple[float, float] = (6.0, 4.5)
    suffix = ".png"

    def save(self, path):
        # without pyplot: no global state, no display, no backend to choose
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=self.size, layout="constrained")
        self.draw(canvas.subplots())
        canvas.savefig(path, format="png", dpi=120)


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str
    caption: str = ""
    suffix = ".txt"

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text if self.text.endswith("\n") else self.text + "\n")
