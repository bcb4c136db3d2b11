"""Stand-ins for data sets of demonstrations, preferences and judgements."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    several = 2 if recipe.loading()["columns"] == "pairs" else 1
    shape = [several, recipe.context]
    lengths = torch.tensor([[recipe.context, recipe.context - 1][:several]]).expand(count, -1)
    return {"shape": shape, "vocabulary": 256, "tokenizer": {"library": "bytes"}, "classes": None}, {
        "tokens": lambda generator: torch.randint(256, (count, *shape), generator=generator),
        "prompt": lambda generator: torch.arange(count) % 3 + 1,
        "length": lambda generator: lengths,
        "label": lambda generator: torch.arange(count) % 2 == 0,
        "margin": lambda generator: torch.arange(count) / count,
    }


def embedded(recipe, held_out):
    """The recipe on embedded data, with bytes as tokens (others need a file), and at least this share held out."""
    return dataclasses.replace(recipe, data="pydoc", tokens="bytes", held_out=max(recipe.held_out, held_out))
