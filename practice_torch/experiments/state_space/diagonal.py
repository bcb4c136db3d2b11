"""S4D as a language model of bytes: trained by convolution, sampled by recurrence at the same cost for every byte."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.state_space.diagonal import S4DDecoder

_LONGER = 4  # a sample has so many times the bytes of a training window: a state has no context length


@dataclass(frozen=True)
class DiagonalRecipe(Recipe):
    """A language model of bytes: blocks of diagonal state spaces."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    context: Annotated[int, AtLeast(1)] = 96
    """Number of bytes of a training window. The model has no context length."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream; a block has twice as many channels."""
    modes: Annotated[int, AtLeast(1)] = 16
    """Complex modes of a channel, each of which stands for itself and its conjugate."""
    kind: Literal["linear", "inverse", "legs"] = "linear"
    """Frequencies at which the modes begin: multiples of pi (S4D-Lin), S4D-Inv, or those of HiPPO-LegS."""
    metric: Fixed = "bits_per_byte"

    def loading(self):
        """Windows of bytes, one more than the context: every byte of it has a successor."""
        return {"context": self.context, "level": "byte"}


class DiagonalLanguageModel(nn.Module):
    """Next-byte prediction: mean negative log-likelihood, nats a byte."""

    explains = {"bits_per_byte": Metric("bits per byte", "-log2 p of held-out text per byte, windows begin without a past")}
    phases = (Phase("train", ("network",)),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.network = S4DDecoder(
            vocabulary_size=256, width=recipe.width, layers=recipe.layers, modes=recipe.modes, kind=recipe.kind
        )  # fmt: skip

    def forward(self, batch, phase):
        """The windows' bytes but the last predict all but the first."""
        return self._loss(batch["tokens"]), {}

    def evaluate(self, data):
        """Bits per held-out byte."""
        losses = [self._loss(data.batch(some)["tokens"]) * len(some) for some in torch.arange(len(data)).split(64)]
        return {"bits_per_byte": sum(losses).item() / len(data) / math.log(2)}

    def preview(self, data):
        """What it writes, given nothing but a line's end."""
        return self.sample(1)

    def sample(self, count):
        """`count` texts, drawn byte by byte from the state, several times as long as the windows of the training."""
        length = _LONGER * self.recipe.context
        token = torch.full((count,), ord("\n"), device=self.network.head.weight.device)
        states, written = self.network.start(count), []
        for _ in range(length):
            logits, states = self.network.step(token, states)
            token = torch.multinomial(logits.float().softmax(-1), 1, generator=self.generator)[:, 0]
            written.append(token)
        texts = (bytes(row).decode(errors="replace") for row in torch.stack(written, 1).tolist())
        return {"text": Text("\n\n".join(texts), f"{count} x {length} bytes, drawn one by one from a state of constant size.")}

    def _loss(self, tokens):
        logits = self.network(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())


RECIPES = {
    # measured: 2.10 bits per byte, in 59 CPU seconds; with kernels of zero, so that a byte sees itself alone,
    # 3.34. No weight decay: frequencies and dampings are tables, and it would pull all modes to one.
    "pydoc": DiagonalRecipe(
        steps=900, batch_size=16, learning_rate=3e-3, beta2=0.99, clip_norm=1.0, warmup_steps=50, schedule="cosine",
        final_learning_rate=0.1, evaluate_every=300, checkpoint_every=300, target=2.2,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe."""
    return DiagonalLanguageModel(recipe)
