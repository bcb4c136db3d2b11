"""An LSTM as a language model of bytes."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.autoregressive.recurrent import CharacterLSTM
from practice_torch.engine.bounds import AtLeast
from practice_torch.experiments.parts.byte_language import ByteLanguageModel, ByteRecipe


@dataclass(frozen=True)
class RecurrentRecipe(ByteRecipe):
    """A language model of bytes: LSTMs between an embedding and a linear head."""

    layers: Annotated[int, AtLeast(1)] = 1
    """Number of LSTMs, each of which reads the states of the one below."""
    embedding: Annotated[int, AtLeast(1)] = 64
    """Width of the bytes' embedding."""
    hidden: Annotated[int, AtLeast(1)] = 192
    """Numbers in the state h of a layer, and in its cell c."""


RECIPES = {
    "pydoc": RecurrentRecipe(
        steps=900, batch_size=16, learning_rate=6e-3, beta2=0.99, clip_norm=1.0, warmup_steps=50, schedule="cosine",
        evaluate_every=300, checkpoint_every=300, target=2.15,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe."""
    network = CharacterLSTM(vocabulary_size=256, embedding=recipe.embedding, hidden=recipe.hidden, layers=recipe.layers)
    return ByteLanguageModel(recipe, network)
