"""Modalities: each is a module of practice_torch/data, which is found by its name."""

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the help of a recipe does not need torch
    from practice_torch.engine.batches.data import Data


COMMON = {"source", "held_out", "seed"}  # options of every loader


class Modality(Protocol):
    """The interface of a module of practice_torch/data that is the modality of a recipe."""

    FORMS: str  # what --data takes, for the help of a recipe

    def load(self, source: str, *, held_out: float, seed: int, **loading: Any) -> "tuple[Data, Data]":
        """(train, held-out); `loading` is what the recipe's `loading()` returns. DataError if the data cannot be used."""

    def blank(self, name: str, facts: Mapping[str, Any], **loading: Any) -> "Data":
        """The training part as far as it is known without loading it: practice_torch/data/blank.py."""


def modality_of(name: str) -> Modality:
    """The module of the modality with this name. ValueError if there is none."""
    path = f"practice_torch.data.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise ValueError(f"modality is {name!r}; practice_torch/data has no {name}.py: write it, or name another") from None
    if missing := [member for member in ("FORMS", "load", "blank") if not hasattr(module, member)]:
        raise ValueError(f"modality is {name!r}; practice_torch/data/{name}.py has no {missing[0]}: write it, or name another")
    return module


def options_of(name: str | None) -> set[str]:
    """The options of a modality's loader, next to those that all of them have; none where there are no data."""
    return set() if name is None else inspect.signature(modality_of(name).load).parameters.keys() - COMMON
