"""Loads the data of a recipe: the only place that distinguishes modalities."""

import importlib

from practice_torch.data.memory import LIMITS

MODALITIES = ("images", "text", "audio", "points", "symbols")


class Described:
    """Stands for data that is not at hand: enough for `build`, which reads nothing but the description."""

    def __init__(self, description):
        self.description = description


def load_data(recipe):
    """(train, held-out) of a recipe. DataError if the data cannot be used."""
    return _module(recipe).load(recipe.data, held_out=recipe.held_out, seed=recipe.seed, **recipe.loading())


def data_help(recipe):
    """What --data takes, and its limits, for the help of a recipe."""
    return f"--data takes {_module(recipe).FORMS} {LIMITS}"


def _module(recipe):
    if recipe.modality not in MODALITIES:
        raise ValueError(f"modality {recipe.modality!r} of {type(recipe).__name__} is none of {', '.join(MODALITIES)}")
    return importlib.import_module(f"practice_torch.data.{recipe.modality}")
