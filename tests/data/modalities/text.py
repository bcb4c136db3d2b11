"""Stand-ins for data sets of text."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    how = recipe.loading()
    characters = "abcdefg" if how["level"] == "character" else None
    vocabulary = len(characters) + 1 if characters else 256 + getattr(recipe, "merges", 0)
    length = how["context"] + 1
    description = {"shape": [length], "characters": characters, "vocabulary": vocabulary, "tokens": count * length}
    return description | {"level": how["level"], "classes": None}, {
        "tokens": lambda generator: torch.randint(vocabulary, (count, length), generator=generator)
    }


def embedded(recipe, held_out):
    """The recipe on embedded data with at least this share held out."""
    return dataclasses.replace(recipe, data="pydoc", held_out=max(recipe.held_out, held_out))
