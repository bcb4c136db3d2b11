"""Stand-ins for data sets of demonstrations, preferences and judgements."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    several = 2 if recipe.loading()["columns"] == "pairs" else 1
    shape = [several, recipe.context]
    about = {"shape": shape, "vocabulary": 256, "tokenizer": {"library": "bytes"}, "classes": None, "examples": count}
    if recipe.packing:  # two examples in a row, and a token of padding
        places = torch.arange(recipe.context).expand(count, -1)
        begins = torch.arange(count)[:, None] % 3 + 2
        return about, {
            "tokens": lambda generator: torch.randint(256, (count, *shape), generator=generator),
            "segments": lambda generator: (places >= begins).long() + (places == recipe.context - 1),
            "learned": lambda generator: (places > 0) & (places != begins) & (places < recipe.context - 1),
        }
    lengths = torch.tensor([[recipe.context, recipe.context - 1][:several]]).expand(count, -1)
    return about, {
        "tokens": lambda generator: torch.randint(256, (count, *shape), generator=generator),
        "prompt": lambda generator: torch.arange(count) % 3 + 1,
        "length": lambda generator: lengths,
        "label": lambda generator: torch.arange(count) % 2 == 0,
        "margin": lambda generator: torch.arange(count) / count,
        "row": lambda generator: torch.arange(count),
    }


def embedded(recipe, held_out):
    """The recipe on embedded data, with bytes as tokens (others need a file), and at least this share held out."""
    return dataclasses.replace(recipe, data="pydoc", tokens="bytes", held_out=max(recipe.held_out, held_out))
