"""Stand-ins for data sets of galaxies."""

import dataclasses

import torch

from practice_torch.data.galaxies import PROPERTIES, SIMULATED, Galaxies
from tests.data.modalities.images import random_set as random_images

GALAXIES = 500  # that are simulated where a test makes the recipe's other sizes small


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    draws = {
        "properties": lambda generator: (
            0.7 * torch.rand(count, len(PROPERTIES), generator=generator) + 0.5 * torch.eye(len(PROPERTIES))[2]
        )
    }
    if recipe.data != SIMULATED:
        draws["image"] = lambda generator: torch.rand(count, 1, 8, 8, generator=generator)
    known = {"simulated": recipe.data == SIMULATED, "properties": dict.fromkeys(PROPERTIES, [0.5, 0.2]), "classes": None}
    return {"shape": [1, 8, 8]} | known, draws


def embedded(recipe, held_out):
    """The recipe with enough galaxies and at least this share held out; None if random examples take the place of its data."""
    if recipe.data != SIMULATED:
        return None
    return dataclasses.replace(recipe, galaxies=max(recipe.galaxies, GALAXIES), held_out=max(recipe.held_out, held_out))


def random_set(recipe, split, count):
    """A data set of random examples."""
    images = random_images(recipe, split, count)
    properties = torch.rand(count, 2, generator=torch.Generator().manual_seed(1))
    known = {"simulated": False, "properties": dict.fromkeys(PROPERTIES[:2], [0.5, 0.3])}
    return Galaxies(properties, images.pixels, images.description | known)
