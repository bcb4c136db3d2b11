"""Byte-pair merges learned from the windows of a text, in one step of counting; the metric is held-out bytes per token."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.autoregressive.tokenization import LARGEST_TOKEN, BytePairTokenizer
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe


@dataclass(frozen=True)
class BytePairRecipe(Recipe):
    """Byte-pair encoding of a text, evaluated by held-out bytes per token."""

    modality: ClassVar[str] = "text"
    merges: Annotated[int, AtLeast(1, at_most=LARGEST_TOKEN - 256)] = 256
    """Number of tokens beyond the 256 bytes."""
    window: Annotated[int, AtLeast(2)] = 256
    """Length of a window in bytes; a word cut by the end of a window is skipped."""
    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because counting reads the text once."""
    batch_size: Annotated[int, AtLeast(1)] = 2**14
    """Number of windows that are counted, drawn from the whole text."""
    metric: Fixed = "bytes_per_token"
    direction: Direction = "higher"

    def loading(self):
        """Windows of bytes."""
        return {"context": self.window - 1, "level": "byte"}


class BytePairExperiment(nn.Module):
    """Learns the merges of a text."""

    explains = {
        "bytes_per_token": Metric("bytes per token", "compression of held-out text by the tokenizer"),
        "uniform_bits_per_byte": Metric("bits per byte", "cost of held-out text if all tokens were equally likely"),
    }
    phases = (Phase("count"),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.register_buffer("merges", torch.full((recipe.merges, 2), -1))  # -1: a row that no pair was left for

    def forward(self, batch, phase):
        """Learns from windows; the loss is tokens per byte of the windows themselves."""
        words = Counter()
        for window in batch["tokens"].to(torch.uint8).cpu().numpy():
            words.update(BytePairTokenizer.chunks(window)[1:-1])
        learned = BytePairTokenizer.of_counts(words, merges=self.recipe.merges)
        merges = torch.tensor(learned.merges, dtype=torch.int64, device=self.merges.device).view(-1, 2)
        self.merges[: len(merges)] = merges
        tokens = sum(times * len(learned.encode(word)) for word, times in words.items())
        loss = torch.tensor(tokens / max(1, sum(times * len(word) for word, times in words.items())))
        return loss, {"distinct_words": torch.tensor(float(len(words)))}

    def evaluate(self, data):
        """Bytes per token of held-out text, and the bits per byte of a uniform law over tokens."""
        tokenizer, raw = self.tokenizer(), _held_out_bytes(data)
        per_token = len(raw) / len(tokenizer.encode(raw))
        return {"bytes_per_token": per_token, "uniform_bits_per_byte": math.log2(tokenizer.vocabulary_size) / per_token}

    def preview(self, data):
        """Tokenized held-out text, and the table."""
        tokenizer = self.tokenizer()
        pieces = [tokenizer.decode([token]) for token in tokenizer.encode(_held_out_bytes(data)[:1500]).tolist()]
        return {"cut": Text("\u00b7".join(pieces), "Held-out text, cut into tokens"), **self.sample(64)}

    def sample(self, count):
        """The first tokens that were made, in order."""
        tokenizer = self.tokenizer()
        made = range(256, min(256 + count, tokenizer.vocabulary_size))
        lines = (f"{token}  {tokenizer.decode([token])!r}" for token in made)
        return {"tokens": Text("\n".join(lines), "The first merges and the bytes they stand for")}

    def tokenizer(self):
        """The learned tokenizer."""
        return BytePairTokenizer(tuple((a, b) for a, b in self.merges.tolist() if a >= 0))


def _held_out_bytes(data):
    """The held-out text in one piece: its windows lie end to end, each beginning with the last byte of the one before."""
    windows = data.batch()["tokens"].to(torch.uint8)
    return torch.cat([windows[0, :1], windows[:, 1:].flatten()]).cpu().numpy().tobytes()


RECIPES = {
    # measured: 2.30 and 4.35 held-out bytes per token
    "pydoc": BytePairRecipe(data="pydoc", merges=256, target=2.2),
    "pydoc-4096": BytePairRecipe(data="pydoc", merges=4096 - 256, batch_size=2**15, target=4.2),
}


def build(recipe, data):
    """The experiment of a recipe."""
    return BytePairExperiment(recipe)
