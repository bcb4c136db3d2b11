"""Stand-ins for prompts with columns of which rewards are computed."""

import dataclasses

import torch


def stand_in(recipe, count, classes):
    """The description of `count` random prompts, and what draws each part of them."""
    columns = b'{"prompt": "", "answer": "7"}'
    about = {"shape": [recipe.prompt], "vocabulary": 256, "end": 0, "tokenizer": {"library": "bytes"}, "classes": None}
    return about, {
        "tokens": lambda generator: torch.randint(1, 256, (count, recipe.prompt), generator=generator),
        "length": lambda generator: torch.arange(count) % recipe.prompt + 1,
        "columns": lambda generator: torch.tensor(list(columns), dtype=torch.uint8).repeat(count, 1),
    }


def embedded(recipe, held_out):
    """The recipe on embedded data, with bytes as tokens (others need a file), and at least this share held out."""
    return dataclasses.replace(recipe, data="pydoc", tokens="bytes", held_out=max(recipe.held_out, held_out))
