"""Stand-ins for data sets of sounds."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    shape = [1, recipe.length]
    return {"shape": shape, "sample_rate": recipe.sample_rate, "frequencies": [220.0, 330.0, 440.0]}, {
        "audio": lambda generator: 2 * torch.rand(count, *shape, generator=generator) - 1,
        "label": lambda generator: torch.arange(count) % len(classes),
    }


def embedded(recipe, held_out):
    """The recipe on embedded data with at least this share held out."""
    return dataclasses.replace(recipe, data="notes", held_out=max(recipe.held_out, held_out))
