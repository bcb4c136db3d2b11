"""An LSTM as a language model of bytes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from practice_torch.autoregressive.recurrent import CharacterLSTM
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.language.byte_language import ByteLanguageModel


@dataclass(frozen=True)
class RecurrentRecipe(Recipe):
    """A language model of bytes: LSTMs between an embedding and a linear head."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    context: Annotated[int, AtLeast(1)] = 96
    """Number of bytes of a training window. The model has no context length."""
    layers: Annotated[int, AtLeast(1)] = 1
    """Number of LSTMs, each of which reads the states of the one below."""
    embedding: Annotated[int, AtLeast(1)] = 64
    """Width of the bytes' embedding."""
    hidden: Annotated[int, AtLeast(1)] = 192
    """Numbers in the state h of a layer, and in its cell c."""
    metric: Fixed = "bits_per_byte"

    def loading(self):
        """Windows of bytes, one more than the context: every byte of it has a successor."""
        return {"context": self.context, "level": "byte"}


RECIPES = {
    # measured: 1.79 bits per byte, in 166 CPU seconds; 2.10 where the schedule ends after 900 steps, in 47. An S4D that
    # sees one byte alone has 3.34.
    "pydoc": RecurrentRecipe(
        steps=3500,
        batch_size=16,
        learning_rate=6e-3,
        beta2=0.99,
        clip_norm=1.0,
        warmup_steps=50,
        schedule="cosine",
        evaluate_every=1750,
        checkpoint_every=500,
        target=1.85,
    )
}


def build(recipe, data):
    """The experiment of a recipe."""
    network = CharacterLSTM(vocabulary_size=256, embedding=recipe.embedding, hidden=recipe.hidden, layers=recipe.layers)
    return ByteLanguageModel(recipe, network, rates={})
