"""Stand-ins for data sets of symbols."""

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    return {"shape": [recipe.length], "symbols": recipe.symbols, "classes": None}, {
        "symbols": lambda generator: torch.randint(recipe.symbols, (count, recipe.length), generator=generator)
    }


def embedded(recipe, held_out):
    """The recipe itself: its symbols are drawn."""
    return recipe
