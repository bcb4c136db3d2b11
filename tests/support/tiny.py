"""Every recipe in small: its networks' sizes cut down, and random data of its modality. It builds in milliseconds."""

import dataclasses
import importlib
from dataclasses import dataclass

import torch

from practice_torch.engine.batches.datasets import NoData
from practice_torch.engine.bounds import intervals
from tests.support.objectives import objective_of
from tests.support.recipes import OF_THE_ENGINE, module_of, names, topic_of

LIMIT = 8  # of every size of a model, where its own bound and the topic (`sizes` of its OBJECTIVE) allow it
TRAINING = {"steps": 2, "batch_size": 32, "warmup_steps": 1}
# how often the same is done: a third layer repeats the second, and so does a step of a sampler; two blocks of a level are taken
# by tests/training/test_objectives.py, which takes another number of everything
REPEATED = {"layers": 3, "groups": 2, "cells": 2, "blocks": 1, "sampling_steps": 4}
OF_THE_DATA = {"num_levels", "sample_rate"}  # facts, not sizes
COUNT = 6
CLASSES = ["a", "b", "c"]


def recipes():
    """(topic, name, small recipe) of every recipe of the practice wing."""
    for topic, name in names():
        yield topic, name, small(module_of(topic).RECIPES[name])


def small(recipe, **changes):
    """The recipe with every size at most its limit; a U-Net keeps two levels, and attends at the lower."""
    fields = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    limits = limits_of(type(recipe)) | objective_of(topic_of(recipe)).sizes
    cut = {name: min(value, limits[name]) for name, value in fields.items() if type(value) is int and name in limits}
    cut |= {name: size for name, size in limits.items() if type(size) is tuple and fields.get(name)}
    if "hidden_dims" in fields:
        cut["hidden_dims"] = (9, 8)[: len(fields["hidden_dims"])]
    if fields.get("channels"):
        cut["channels"] = (4, 6)
    if "multipliers" in fields:
        side = cut["length"] if recipe.modality == "audio" else 8 >> cut.get("halvings", 0)
        cut |= {"multipliers": (1, 2), "attention_at": (side // 2,) if fields["attention_at"] else ()}
    return dataclasses.replace(recipe, **cut | changes)


def limits_of(kind):
    """{field: the most that it is in tests} of a class of recipes: those of its own integers that must be positive are sizes."""
    own = {field.name for field in dataclasses.fields(kind)} - OF_THE_ENGINE - OF_THE_DATA
    sizes = {name: interval.least for name, interval in intervals(kind) if name in own and interval.least >= 1}
    return TRAINING | {name: max(REPEATED.get(name, LIMIT), int(least)) for name, least in sizes.items()}


def built(topic, recipe, seed=0):
    """The experiment for random data, in train mode, and a batch of these. seed None: torch's generator stays as it is."""
    if seed is not None:
        torch.manual_seed(seed)
    data = data_of(recipe)
    experiment = module_of(topic).build(recipe, data)
    experiment.generator = torch.Generator().manual_seed(seed or 0)
    return experiment.train(), data.batch()


def data_of(recipe):
    """Random examples of the recipe's modality; none of a recipe without data."""
    return NoData() if recipe.modality is None else Random(recipe)


def stand_ins_of(recipe):
    """The file of tests with stand-ins for data sets of the recipe's modality."""
    return importlib.import_module(f"tests.data.modalities.{recipe.modality}")


@dataclass
class Random:
    """Stands for a data set of the recipe's modality: a few random examples, and their description."""

    recipe: object

    @property
    def description(self):
        return {"name": self.recipe.data, "classes": CLASSES, "count": COUNT, "sha256": "0"} | self._stand_in()[0]

    def __len__(self):
        return COUNT

    def batch(self, indices=slice(None)):
        generator = torch.Generator().manual_seed(3)
        return {name: draw(generator)[indices] for name, draw in self._stand_in()[1].items()}

    def _stand_in(self):
        return stand_ins_of(self.recipe).stand_in(self.recipe, COUNT, CLASSES)
