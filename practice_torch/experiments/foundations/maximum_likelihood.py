"""Tables of characters and of binary pixels. The maximum of the likelihood is known: training counts all of the data, once."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.artifacts import ImageGrid, Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe


@dataclass(frozen=True)
class CharacterRecipe(Recipe):
    """A table of character frequencies: unigram (no context) or bigram (one character of context)."""

    modality: ClassVar[str] = "text"
    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because counting reads the data once."""
    batch_size: Annotated[int, AtLeast(1)] = 2**40
    """Number of examples that are counted; without it, all."""
    smoothing: Annotated[float, AtLeast(0)] = 0.5
    """Pseudo-count added to every count; with 0, an unseen symbol has an infinite loss."""
    order: Annotated[int, AtLeast(0, at_most=1)] = 1
    """Characters of context: 0 or 1."""
    metric: Fixed = "nats_per_character"

    def loading(self):
        """Windows of two characters, one at every position: each pair of neighbors exactly once."""
        return {"context": 1, "level": "character"}


@dataclass(frozen=True)
class PixelRecipe(Recipe):
    """Independent pixels: the baseline for models of images."""

    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because counting reads the data once."""
    batch_size: Annotated[int, AtLeast(1)] = 2**40
    """Number of examples that are counted; without it, all."""
    smoothing: Annotated[float, AtLeast(0)] = 0.5
    """Pseudo-count added to every count; with 0, an unseen symbol has an infinite loss."""
    threshold: Annotated[float, AtLeast(0, below=1)] = 0.5
    """Threshold of the binarization."""
    metric: Fixed = "nats_per_image"


class CharacterTable(nn.Module):
    """Counts of (context, character); with order 0 all contexts share a row."""

    explains = {
        "nats_per_character": Metric("nats per character", "-log p of held-out text, per character"),
        "perplexity": Metric("characters", "e to the nats per character: the number of equally likely characters"),
    }
    phases = (Phase("count"),)

    def __init__(self, recipe, characters):
        super().__init__()
        self.recipe, self.characters, self.generator = recipe, characters + "\ufffd", None
        rows = len(self.characters) ** recipe.order
        self.register_buffer("counts", torch.zeros(rows, len(self.characters), dtype=torch.int64))

    def forward(self, batch, phase):
        """Counts a batch; its mean negative log-likelihood afterwards."""
        rows, labels = self._rows_and_labels(batch)
        pairs = torch.bincount(rows * self.counts.shape[1] + labels, minlength=self.counts.numel())
        self.counts += pairs.view_as(self.counts)
        return self._nats(batch).mean(), {}

    def evaluate(self, data):
        """Nats per held-out character."""
        nats = self._nats(data.batch()).double().mean()
        return {"nats_per_character": float(nats), "perplexity": float(nats.exp())}

    def preview(self, data):
        """What the table writes."""
        return self.sample(8)

    def sample(self, count):
        """`count` lines of 72 characters, each drawn from the one before it."""
        probs = self._log_probs().exp()
        row, written = torch.full((count,), self.characters.index("\n") if "\n" in self.characters else 0), []
        for _ in range(72):
            row = torch.multinomial(probs[row % len(probs)], 1, generator=self.generator)[:, 0]
            written.append(row)
        lines = ["".join(self.characters[i] for i in line).replace("\n", "\u21b5") for line in torch.stack(written, 1).tolist()]
        return {"text": Text("\n".join(lines), "Drawn character by character; \u21b5 is a line's end")}

    def _rows_and_labels(self, batch):
        context, labels = batch["tokens"].T
        return (context if self.recipe.order else torch.zeros_like(context)), labels

    def _log_probs(self):
        smoothed = self.counts.double() + self.recipe.smoothing
        # a context that was never seen is followed by anything
        empty = smoothed.sum(1, keepdim=True) == 0
        return torch.where(empty, 1.0, smoothed).log().log_softmax(1)

    def _nats(self, batch):
        rows, labels = self._rows_and_labels(batch)
        return -self._log_probs()[rows, labels]


class PixelTable(nn.Module):
    """Counts of ones and zeros of every pixel."""

    explains = {"nats_per_image": Metric("nats per image", "-log p(x) of held-out images")}
    phases = (Phase("count"),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        self.register_buffer("counts", torch.zeros(2, math.prod(shape), dtype=torch.int64))  # zeros, ones

    def forward(self, batch, phase):
        """Counts a batch; its mean negative log-likelihood afterwards."""
        x = self._binary(batch)
        self.counts += torch.stack([(1 - x).sum(0), x.sum(0)])
        return self._nats(x).mean(), {}

    def evaluate(self, data):
        """Nats per held-out image."""
        return {"nats_per_image": float(self._nats(self._binary(data.batch())).mean())}

    def preview(self, data):
        """What independent pixels look like."""
        return self.sample(16)

    def sample(self, count):
        """Images with independently drawn pixels, and as the last image the probabilities of the pixels."""
        ones = self._log_probs()[1].exp().float()
        drawn = torch.bernoulli(ones.expand(count, -1), generator=self.generator)
        images = torch.cat([drawn, ones[None]]).unflatten(1, self.shape)
        return {"pixels": ImageGrid(images, 8, "Independent pixels; the last image is their probabilities")}

    def _binary(self, batch):
        return (batch["image"].flatten(1) > self.recipe.threshold).long()

    def _log_probs(self):
        return (self.counts.double() + self.recipe.smoothing).log().log_softmax(0)

    def _nats(self, x):
        return -self._log_probs().gather(0, x).sum(1)


_PYDOC = {"data": "pydoc", "held_out": 0.1}
RECIPES = {
    # the targets are what the tables reach, rounded up: 3.24 and 2.32 nats a character, 25.2 an image
    "unigram": CharacterRecipe(order=0, target=3.26, **_PYDOC),
    "bigram": CharacterRecipe(order=1, target=2.34, **_PYDOC),
    "pixels": PixelRecipe(data="digits", held_out=0.2, threshold=7 / 16, target=25.5),
}


def build(recipe, data):
    """The table that a recipe fills."""
    if isinstance(recipe, CharacterRecipe):
        return CharacterTable(recipe, data.description["characters"])
    return PixelTable(recipe, data.description["shape"])
