"""Stand-ins for data sets of images."""

import dataclasses

import torch

from practice_torch.data.image_set import Images

SHAPES = {
    "mnist": (1, 8, 8),
    "fashion_mnist": (1, 8, 8),
    "cifar10": (3, 8, 8),
}  # of random images in place of sets that a test does not download
FOLDER = (3, 8, 8)  # of those in place of a folder of photographs, which have no labels


def stand_in(recipe, count, classes):
    """The description of `count` random examples, and what draws each part of them."""
    draws = {"image": lambda generator: torch.rand(count, 1, 8, 8, generator=generator)}
    if recipe.data == "squares":
        draws |= {"factors": lambda generator: torch.arange(count)[:, None] % torch.tensor([2, 3])}
        return {"shape": [1, 8, 8], "classes": None, "factors": {"column": 2, "row": 3}}, draws
    return {"shape": [1, 8, 8]}, draws | {"label": lambda generator: torch.arange(count) % len(classes)}


def embedded(recipe, held_out):
    """The recipe on embedded data with at least this share held out; None if random examples take the place of its data."""
    if recipe.data == "squares":
        return recipe
    return dataclasses.replace(recipe, held_out=max(recipe.held_out, held_out)) if recipe.data == "digits" else None


def random_set(recipe, split, count):
    """A data set of random examples."""
    name, shape = recipe.data, SHAPES.get(recipe.data, FOLDER)
    pixels = (256 * torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))).to(torch.uint8)
    classes = list("0123456789") if name in SHAPES else None
    description = {"name": name, "split": split, "count": count, "shape": list(shape), "classes": classes}
    return Images(pixels, torch.arange(count) % 10 if classes else None, 255, description | {"sha256": "of random images"})
