"""Stand-ins for data sets of pairs of completions."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    shape, lengths = [2, recipe.context], torch.tensor([[recipe.context, recipe.context - 1]]).expand(count, -1)
    return {"shape": shape, "vocabulary": 256, "tokenizer": {"library": "bytes"}, "classes": None}, {
        "tokens": lambda generator: torch.randint(256, (count, *shape), generator=generator),
        "prompt": lambda generator: torch.arange(count) % 3 + 1,
        "length": lambda generator: lengths,
    }


def embedded(recipe, held_out):
    """The recipe on embedded data, with bytes as tokens (others need a file), and at least this share held out."""
    return dataclasses.replace(recipe, data="pydoc", tokens="bytes", held_out=max(recipe.held_out, held_out))
