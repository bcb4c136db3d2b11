"""From a recipe to its data: the one place where modalities are told apart."""

import importlib

MODALITIES = ("images", "text", "audio", "points", "symbols")


class Described:
    """Stands for data that is not at hand: enough for `build`, which reads nothing but the description."""

    def __init__(self, description):
        self.description = description


def load_data(recipe):
    """(train, held-out) of a recipe. DataError if the data cannot be used."""
    if recipe.modality not in MODALITIES:
        raise ValueError(f"modality {recipe.modality!r} of {type(recipe).__name__} is none of {', '.join(MODALITIES)}")
    module = importlib.import_module(f"practice_torch.data.{recipe.modality}")
    return module.load(recipe.data, held_out=recipe.held_out, seed=recipe.seed, **recipe.loading())
