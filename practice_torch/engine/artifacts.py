"""Artifacts of a model: grids of images, figures, sounds and text. Each is written to a file, and shows itself in a notebook."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch

from practice_torch.engine import spectrogram
from shared_specs.palette import IN_TURN

if TYPE_CHECKING:  # a training imports it, where the recipe asks for it
    from torch.utils.tensorboard import SummaryWriter

SHORTEST_SIDE = 56  # pixels: a smaller image is enlarged by whole factors, so that an 8x8 digit can be seen
PAUSE = 0.15  # seconds between two sounds


@dataclass(frozen=True)
class ImageGrid:
    """Images [N, C, H, W] in 0..1 (C is 1 or 3), row by row."""

    images: torch.Tensor
    columns: int
    caption: str = ""
    suffix = ".png"

    def save(self, path: str | Path | BinaryIO) -> None:
        from PIL import Image

        images = self.images.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
        count, channels, height, width = images.shape
        factor = max(1, -(-SHORTEST_SIDE // min(height, width)))
        images = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
        columns, gap = min(self.columns, count), 2
        rows, tall, wide = -(-count // columns), height * factor + gap, width * factor + gap
        canvas = np.full((rows * tall + gap, columns * wide + gap, 3), 96, dtype=np.uint8)
        for index, image in enumerate(images.numpy()):
            top, left = index // columns * tall + gap, index % columns * wide + gap
            canvas[top : top + tall - gap, left : left + wide - gap] = image
        Image.fromarray(canvas).save(path, format="PNG")

    def onto(self, board: "SummaryWriter", name: str, step: int) -> None:
        _show(self, board, name, step)

    def _repr_html_(self) -> str:
        return _figure(_picture(self), self.caption)


@dataclass(frozen=True)
class Figure:
    """A matplotlib drawing: `draw(axes)` fills one pair of axes. points: the samples [N, D] that it shows, if any."""

    draw: Callable
    caption: str = ""
    size: tuple[float, float] = (6.0, 4.5)
    points: torch.Tensor | None = None
    suffix = ".png"

    def save(self, path: str | Path | BinaryIO) -> None:
        # without pyplot: no global state, no display, no backend to choose
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=self.size, layout="constrained")
        axes = canvas.subplots()
        axes.set_prop_cycle(color=IN_TURN)
        self.draw(axes)
        canvas.savefig(path, format="png", dpi=120)

    def onto(self, board: "SummaryWriter", name: str, step: int) -> None:
        _show(self, board, name, step)

    def _repr_html_(self) -> str:
        return _figure(_picture(self), self.caption)


@dataclass(frozen=True)
class Text:
    """Plain text. each: the samples one by one, where it holds several."""

    text: str
    caption: str = ""
    each: tuple[str, ...] = ()
    suffix = ".txt"

    def save(self, path: str | Path) -> None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text if self.text.endswith("\n") else self.text + "\n")

    def onto(self, board: "SummaryWriter", name: str, step: int) -> None:
        board.add_text(name, f"```\n{self.text}\n```", step)  # TensorBoard reads texts as Markdown

    def _repr_html_(self) -> str:
        return _figure(f'<pre style="white-space: pre-wrap; margin: 0">{escape(self.text)}</pre>', self.caption)


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

    def save(self, path: str | Path | BinaryIO) -> None:
        import soundfile

        # 16 bits are the multiples of 2^-15 from -1 up to, but not including, 1
        steps = self._played()[0].mul(2**15).round().clamp(max=2**15 - 1).to(torch.int16)
        soundfile.write(path, steps.numpy(), self.sample_rate, subtype="PCM_16", format="WAV")

    def onto(self, board: "SummaryWriter", name: str, step: int) -> None:
        board.add_audio(name, self._played()[0][None], step, self.sample_rate)
        _show(self.picture, board, name, step)

    def _repr_html_(self) -> str:
        player = f'<audio controls src="{_uri(self, "audio/wav")}" style="display: block; width: 100%; max-width: 560px"></audio>'
        return _figure(_picture(self.picture) + player, self.caption)

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


def _show(artifact, board, name, step):
    """Give TensorBoard a picture as it is written to a file."""
    from PIL import Image

    file = io.BytesIO()
    artifact.save(file)
    board.add_image(name, np.asarray(Image.open(file).convert("RGB")), step, dataformats="HWC")


def _figure(content, caption):
    """HTML of an artifact, in the page's own colors: a notebook may be light or dark."""
    below = f'<figcaption style="font-size: 90%; opacity: 0.75">{escape(caption)}</figcaption>' if caption else ""
    return f'<figure style="margin: 0 0 1em">{content}{below}</figure>'


def _picture(artifact):
    return f'<img src="{_uri(artifact, "image/png")}" alt="{escape(artifact.caption)}" style="max-width: 100%">'


def _uri(artifact, kind):
    """The file of an artifact within the page, which then needs no other."""
    file = io.BytesIO()
    artifact.save(file)
    return f"data:{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
