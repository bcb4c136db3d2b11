"""Data sets without data: the description and the batches that a loader would give, with nothing read and nothing drawn.

Each modality has a `blank(name, facts, ...)` with the keywords of its `load`. On fake tensors a step of a recipe is measured with
it (engine/costs/sizes.py). `facts` are what only the data can tell: the shape of images, the names of classes, the size of a
vocabulary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

MANY = 2**20  # examples of a set that is not known by name: more than a batch


@dataclass(frozen=True)
class Blank:
    """Description of a data set, and the form of its batches."""

    description: Mapping[str, Any]
    form: Callable[[int], dict[str, torch.Tensor]]

    def __len__(self):
        return self.description["count"]

    def batch(self, indices):
        """One example per index, with arbitrary values."""
        return self.form(len(indices))


def blank_set(name, known, facts, form):
    """The training part of a set of this name. known: what its modality knows of it; the facts overrule it."""
    return Blank({"name": name, "split": "train", "count": MANY, "classes": None, "sha256": "", **known, **facts}, form)


def blank_labels(description, count):
    """{"label": zeros} where the description names classes."""
    return {"label": torch.zeros(count, dtype=torch.int64)} if description.get("classes") else {}
