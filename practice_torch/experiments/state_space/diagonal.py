"""S4D as a language model of bytes: trained by convolution, sampled by recurrence at the same cost for every byte."""

from dataclasses import dataclass
from typing import Annotated, Literal

from practice_torch.engine.bounds import AtLeast
from practice_torch.experiments.parts.byte_language import ByteLanguageModel, ByteRecipe
from practice_torch.state_space.diagonal import S4DDecoder


@dataclass(frozen=True)
class DiagonalRecipe(ByteRecipe):
    """A language model of bytes: blocks of diagonal state spaces."""

    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream; a block has twice as many channels."""
    modes: Annotated[int, AtLeast(1)] = 16
    """Complex modes of a channel, each of which stands for itself and its conjugate."""
    kind: Literal["linear", "inverse", "legs"] = "linear"
    """Frequencies at which the modes begin: multiples of pi (S4D-Lin), S4D-Inv, or those of HiPPO-LegS."""


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
    network = S4DDecoder(vocabulary_size=256, width=recipe.width, layers=recipe.layers, modes=recipe.modes, kind=recipe.kind)
    return ByteLanguageModel(recipe, network)
