"""Stand-ins for data sets of spectra."""

import dataclasses

import torch

NOTES = 300  # one of the first class is among the first held-out ones


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    shape = [1, recipe.window // 2, recipe.length // recipe.hop]
    return {"shape": shape, "sample_rate": recipe.sample_rate, "frequencies": [220.0, 330.0, 440.0]}, {
        "image": lambda generator: torch.rand(count, *shape, generator=generator),
        "label": lambda generator: torch.arange(count) % len(classes),
    }


def embedded(recipe, held_out):
    """The recipe on embedded data with at least this share held out."""
    return dataclasses.replace(recipe, data="notes", notes=NOTES, held_out=max(recipe.held_out, held_out))
