"""Artifacts of a model: grids of images, figures, sounds and text, and how each is written to a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from practice_torch.engine import spectrogram
from shared_specs.palette import IN_TURN

SHORTEST_SIDE = 56  # pixels: a smaller image is enlarged by whole factors, so that an 8x8 digit can be seen
PAUSE = 0.15  # seconds between two sounds


@dataclass(frozen=True)
class ImageGrid:
    """Images [N, C, H, W] in 0..1 (C is 1 or 3), row by row."""

    images: torch.Tensor
    columns: int
    caption: str = ""
    suffix = ".png"

    def save(self, path: str | Path) -> None:
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

    def save(self, path: str | Path) -> None:
        # without pyplot: no global state, no display, no backend to choose
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=self.size, layout="constrained")
        axes = canvas.subplots()
        axes.set_prop_cycle(color=IN_TURN)
        self.draw(axes)
        canvas.savefig(path, format="png", dpi=120)


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str
    caption: str = ""
    suffix = ".txt"

    def save(self, path: str | Path) -> None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text if self.text.endswith("\n") else self.text + "\n")


@dataclass(frozen=True)
class Audio:
    """A sound [T], or several [N, T] to be played one after another, in -1..1 at sample_rate Hz; a file of 16 bits.

    Sounds beyond full scale are scaled down as a whole, and non-finite samples become silence; the caption then reports it.
    """

    samples: torch.Tensor
    sample_rate: int
    caption: str = ""
    suffix = ".wav"

    def __post_init__(self):
        if self.samples.ndim not in (1, 2) or 0 in self.samples.shape:
            raise ValueError(f"samples has shape {list(self.samples.shape)}; it must be [T] or [N, T], with something in it")
        caption = "; ".join(filter(None, (self.caption, *self._played()[1])))
        object.__setattr__(self, "caption", caption)

    def save(self, path: str | Path) -> None:
        import soundfile

        # 16 bits are the multiples of 2^-15 from -1 up to, but not including, 1
        steps = self._played()[0].mul(2**15).round().clamp(max=2**15 - 1).to(torch.int16)
        soundfile.write(path, steps.numpy(), self.sample_rate, subtype="PCM_16")

    @property
    def picture(self) -> Figure:
        """The spectrogram, which is written next to the sound under the same name."""
        played, _ = self._played()
        size = spectrogram.size(played, self.sample_rate)
        return Figure(lambda axes: spectrogram.draw(axes, played, self.sample_rate), self.caption, size)

    def _played(self):
        """The sounds in one line [L], within full scale, and what had to be done for it."""
        samples, remarks = torch.atleast_2d(self.samples.detach().to("cpu", torch.float32)), []
        if wrong := int((~samples.isfinite()).sum()):
            remarks.append(f"{wrong} of {samples.numel()} samples are not finite and were set to 0")
            samples = samples.nan_to_num(0.0, 0.0, 0.0)
        peak = samples.abs().max().item()
        if peak > 1:
            remarks.append(f"scaled down from {peak:.3g} times full scale")
            samples = (samples / peak).clamp(-1, 1)
        pause = round(PAUSE * self.sample_rate)
        line = torch.nn.functional.pad(samples, (0, pause)).flatten()
        return line[: len(line) - pause], remarks


Artifact = ImageGrid | Figure | Text | Audio
