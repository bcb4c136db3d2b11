"""Stand-ins for data sets of points."""

import dataclasses

import torch

from practice_torch.data.points import MIXTURES

POINTS = 500  # that are drawn where a test makes the recipe's other sizes small


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    mixture = dataclasses.asdict(MIXTURES[recipe.data]) if recipe.data in MIXTURES else None
    shape = [len(mixture["means"][0]) if mixture else 2]
    description = {"shape": shape, "classes": None} | ({"mixture": mixture} if mixture else {})
    return description, {"point": lambda generator: torch.randn(count, *shape, generator=generator)}


def embedded(recipe, held_out):
    """The recipe with enough points and at least this share of them held out: they are drawn."""
    drawn = {"points": max(recipe.points, POINTS)} if "count" in recipe.loading() else {}
    return dataclasses.replace(recipe, **drawn, held_out=max(recipe.held_out, held_out))
