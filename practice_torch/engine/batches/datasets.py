"""Loads the data of a recipe: the only place that distinguishes modalities."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from practice_torch.data.reading.memory import LIMITS
from practice_torch.engine.recipe import Recipe

if TYPE_CHECKING:  # the help of a recipe does not need torch
    from torch import Tensor, device

MODALITIES = ("images", "text", "audio", "points", "symbols", "pairs", "galaxies")


class Data(Protocol):
    """What the engine and the experiments need of a data set."""

    description: Mapping[str, Any]  # can be written as JSON

    def __len__(self) -> int:
        """The number of examples."""

    def batch(self, indices: "Tensor") -> "dict[str, Tensor]":
        """The examples with these indices."""

    def to(self, device: "device") -> "Data":
        """The same data set with its tensors on the device."""


class Described:
    """A stand-in for data that is not loaded: `build` reads nothing but the description."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description


def load_data(recipe: Recipe) -> tuple[Data, Data]:
    """(train, held-out) of a recipe. DataError if the data cannot be used."""
    return _module(recipe).load(recipe.data, held_out=recipe.held_out, seed=recipe.seed, **recipe.loading())


def data_help(recipe: Recipe) -> str:
    """What --data takes, and its limits, for the help of a recipe."""
    return f"--data takes {_module(recipe).FORMS} {LIMITS}"


def _module(recipe):
    if recipe.modality not in MODALITIES:
        raise ValueError(f"modality {recipe.modality!r} of {type(recipe).__name__} is none of {', '.join(MODALITIES)}")
    return importlib.import_module(f"practice_torch.data.{recipe.modality}")
