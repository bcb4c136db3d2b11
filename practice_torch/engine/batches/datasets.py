"""The data of a recipe, and how it is loaded."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from practice_torch.data.reading.memory import LIMITS
from practice_torch.engine.batches.data import Data
from practice_torch.engine.modality import modality_of, options_of
from practice_torch.engine.recipe import Recipe

if TYPE_CHECKING:  # the help of a recipe does not need torch
    from torch import Tensor, device


class Described:
    """A stand-in for data that is not loaded: `build` reads nothing but the description."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description


class NoData:
    """The data set of a recipe without data: it has no examples, and its batches are empty."""

    @property
    def description(self) -> Mapping[str, Any]:
        return {}

    def __len__(self) -> int:
        return 0

    def batch(self, indices: "Tensor | None" = None) -> "dict[str, Tensor]":
        return {}

    def to(self, device: "device") -> "NoData":
        return self


def load_data(recipe: Recipe, tokenizer: Any = None) -> tuple[Data, Data]:
    """(train, held-out) of a recipe. DataError if the data cannot be used.

    tokenizer: that of a model which has one already, a ModelTokenizer, for a modality whose loader takes it.
    """
    if recipe.modality is None:
        return NoData(), NoData()
    more = {"tokenizer": tokenizer} if tokenizer and "tokenizer" in options_of(recipe.modality) else {}
    load = modality_of(recipe.modality).load
    return load(recipe.data, held_out=recipe.held_out, seed=recipe.seed, **recipe.loading(), **more)


def blank_data(recipe: Recipe, facts: Mapping[str, Any]) -> Data:
    """The training data of a recipe, with nothing read: see practice_torch/data/blank.py."""
    if recipe.modality is None:
        return NoData()
    return modality_of(recipe.modality).blank(recipe.data, facts, **recipe.loading())


def data_help(recipe: Recipe) -> str:
    """Values of --data and their limits, for the help of a recipe."""
    if recipe.modality is None:
        return "It reads no data."
    return f"--data takes {modality_of(recipe.modality).FORMS} {LIMITS}"
