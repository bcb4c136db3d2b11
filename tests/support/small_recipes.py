"""Every recipe, made so small that a run of it takes a second: for tests that have to run all of them.

The sizes are those of tests/support/tiny.py. What is trained on is a little of the recipe's own data where they are embedded,
and random examples of their form where they are not.
"""

import contextlib
import dataclasses
import sys
from functools import cache

import torch

from practice_torch.data.text_set import Text
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import enter, stages_of
from tests.support import tiny
from tests.support.recipes import module_of, names

_SELF = sys.modules[__name__]
EXAMPLES, LETTERS = 12, 400
HELD_OUT = 0.1
OURS = ("practice_torch.", "tests.", "demo.", "benchmarks.")


@cache
def small(path, name, **changes):
    """(recipe, (train, held-out)): the recipe with small sizes, three steps and no target, and a little of its data."""
    recipe = module_of(path).RECIPES[name]
    recipe = tiny.small(recipe, **_short(recipe) | changes)
    data = few(recipe)
    if recipe.modality is not None and min(map(len, data)) < EXAMPLES:
        raise ValueError(f"{path} {name} in small has {len(data[0])} and {len(data[1])} examples; tests need {EXAMPLES}")
    return recipe, data


@cache
def first_alike(path, name):
    """The first recipe of the topic that runs the same code: the two differ in numbers, none of which switches a part off."""
    return next(other for topic, other in names() if topic == path and _kind(path, other) == _kind(path, name))


@cache
def first_in_state(path, name):
    """The first recipe of the topic of the same dataclass, on data of the same: their runs keep the same kinds of state."""

    def form(other):
        recipe, (train, _) = small(path, other)
        return type(recipe), type(train), bool(recipe.average_decay)

    return next(other for topic, other in names() if topic == path and form(other) == form(name))


@cache
def _kind(path, name):
    recipe, (train, _) = small(path, name)
    options = {field.name: _kind_of(getattr(recipe, field.name)) for field in dataclasses.fields(recipe) if field.name != "data"}
    return type(recipe), type(train), tuple(options.items())


def _kind_of(value):
    """Words and switches as they are; of a number whether it is 0, a count of 1, or more."""
    if isinstance(value, tuple):
        return tuple(map(_kind_of, value))
    return min(value, 2) if type(value) is int else value != 0 if type(value) is float else value


def _short(recipe):
    """Three steps of four examples, with a row, an evaluation and a checkpoint at the end; or the single step over all data.

    Of the batches that a step adds up, two: a third would repeat the second.
    """
    steps = min(3, recipe.steps)
    fields = dict.fromkeys(("steps", "log_every", "evaluate_every", "checkpoint_every"), steps)
    fields |= {"warmup_steps": min(1, recipe.warmup_steps), "accumulate": min(2, recipe.accumulate), "target": None}
    return fields | {"batch_size": min(4, recipe.batch_size) if steps > 1 else recipe.batch_size}


def playing_in_each_stage(experiment, recipe):
    """The phases that play in the first step of each stage; of a recipe without stages, all phases."""
    stages, step = stages_of(recipe), 0
    yield from enter(experiment, stages, step)
    for stage in stages[:-1]:
        step += stage.steps
        yield from enter(experiment, stages, step) if stage.steps and step < recipe.steps else ()


# ---------------------------------------------------------------------------------------------------- data


@contextlib.contextmanager
def instead_of_loading(data):
    """load_data returns this data in every module that imported it."""
    ours = [module for name, module in sys.modules.items() if name.startswith(OURS)]  # patching all takes longer than a step
    known = [module for module in ours if getattr(module, "load_data", None) is load_data and module is not _SELF]
    for module in known:
        module.load_data = lambda recipe, tokenizer=None: data
    try:
        yield
    finally:
        for module in known:
            module.load_data = load_data


def few(recipe):
    """(train, held-out) of a recipe, EXAMPLES of each; random images and embedded sounds and texts where the data is not here."""
    if recipe.modality is None:
        return load_data(recipe)
    stand_ins = tiny.stand_ins_of(recipe)
    # embedded sets are small: a hundredth of one is no example, and no smaller size would help
    here = stand_ins.embedded(recipe, HELD_OUT)
    if here is None:
        return tuple(stand_ins.random_set(recipe, split, EXAMPLES) for split in ("train", "held-out"))
    recipe = here
    loading = recipe.loading()
    return tuple(_cut(part) for part in _loaded(_Key(recipe, tuple((k, v) for k, v in loading.items() if not callable(v)))))


@dataclasses.dataclass(frozen=True)
class _Key:
    """A recipe, equal to all others that load the same data."""

    recipe: Recipe = dataclasses.field(compare=False)
    loading: tuple
    where: tuple = dataclasses.field(init=False)

    def __post_init__(self):
        recipe = self.recipe
        learned = getattr(recipe, "merges", None)  # what a tokenizer learns is part of a text
        object.__setattr__(self, "where", (recipe.modality, recipe.data, recipe.held_out, recipe.seed, learned))


@cache
def _loaded(key):
    return load_data(key.recipe)


def _cut(data):
    """The first examples of a data set."""
    if isinstance(data, Text):
        stream = data.stream[: max(data.context + 1 + (EXAMPLES - 1) * data.stride, LETTERS)]
        description = {"count": (len(stream) - data.context - 1) // data.stride + 1, "tokens": len(stream)}
        return dataclasses.replace(data, stream=stream, description=data.description | description)
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    tensors = {name: value[:EXAMPLES] for name, value in fields.items() if isinstance(value, torch.Tensor)}
    return dataclasses.replace(data, **tensors, description=data.description | {"count": min(len(data), EXAMPLES)})
