"""Every recipe, made so small that a run of it takes a second: for tests that have to run all of them.

Sizes are not listed recipe by recipe. Every integer of a recipe, and every integer in a tuple of it, is halved until it is at
most LIMIT, twice that if it shapes the data, and a tuple keeps as many; the recipe itself says what goes too far: when it, its
data, its experiment or a first evaluation refuses, the fields that the error names are doubled again (if it names none, those
that shape the data; if there are none, all).
"""

import contextlib
import copy
import dataclasses
import importlib
import sys
from functools import cache

import pytest
import torch

from practice_torch.commands.recipes import recipe_names
from practice_torch.data.errors import DataError
from practice_torch.data.text_set import Text
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import enter, stages_of
from shared_specs.syllabus import load

_SELF = sys.modules[__name__]
LIMIT, EXAMPLES, LETTERS = 2, 12, 400
HELD_OUT = 0.1
OURS = ("practice_torch.", "tests.", "demo.", "benchmarks.")
OF_THE_DATA = {"num_levels", "sample_rate"}  # facts, not sizes
OF_THE_ENGINE = {field.name for field in dataclasses.fields(Recipe)}


@cache
def names():
    """(topic, recipe) of every recipe."""
    return [(path, name) for path in load().topics for name in recipe_names(path)]


def of_every_recipe(test):
    """test(topic, name) of all of them; one process of the suite runs those of a family, and makes each small once."""
    groups = {path: pytest.mark.xdist_group(f"recipes, {path.split('/')[0]}") for path in load().topics}
    return pytest.mark.parametrize(("topic", "name"), [pytest.param(*case, marks=groups[case[0]]) for case in names()])(test)


def module_of(path):
    return importlib.import_module("practice_torch.experiments." + path.replace("/", "."))


@cache
def small(path, name, **changes):
    """(recipe, (train, held-out)): the recipe with small sizes, three steps and no target, and a little of its data."""
    module = module_of(path)
    recipe = _short(module.RECIPES[name], changes)
    limits = dict.fromkeys(_sizes(recipe), LIMIT)
    limits |= dict.fromkeys(_shaping(recipe, limits), 2 * LIMIT)
    while True:
        try:
            smaller = dataclasses.replace(recipe, **{field: _halved(getattr(recipe, field), limits[field]) for field in limits})
            data = few(smaller)
            if min(map(len, data)) < EXAMPLES and (shaping := _shaping(recipe, limits)):
                raise ValueError(f"too few examples: {', '.join(shaping)}")
            with instead_of_loading(data):
                _try(module, smaller, data)
            return smaller, data
        except (ValueError, DataError, RuntimeError, IndexError) as error:
            left = _left(recipe, limits)
            if not left:
                raise
            for field in {field for field in left if field in str(error)} or _shaping(recipe, limits) or left:
                limits[field] *= 2


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


def _short(recipe, changes):
    """Three steps of four examples, and a row, an evaluation and a checkpoint at the end; or the one step that looks at all."""
    steps = min(3, recipe.steps)
    fields = dict.fromkeys(("steps", "log_every", "evaluate_every", "checkpoint_every"), steps)
    fields |= {"warmup_steps": min(1, recipe.warmup_steps), "target": None}
    fields |= {"batch_size": min(4, recipe.batch_size)} if steps > 1 else {}
    return dataclasses.replace(recipe, **fields | changes)


def _sizes(recipe):
    """The names of the topic's own fields that are integers, or tuples of them."""
    own = {field.name for field in dataclasses.fields(recipe)} - OF_THE_ENGINE - OF_THE_DATA
    fields = {name: getattr(recipe, name) for name in sorted(own)}
    return [name for name, value in fields.items() if value and all(type(number) is int for number in _numbers(value))]


def _left(recipe, limits):
    """The fields that are smaller than the recipe's own."""
    return {field for field in limits if _halved(getattr(recipe, field), limits[field]) != getattr(recipe, field)}


def _shaping(recipe, limits):
    """Those of them that the loader of the data is told."""

    def told(**changed):
        twin = copy.copy(recipe)
        for name, value in changed.items():
            object.__setattr__(twin, name, value)  # unchecked: one field alone need not fit the others
        return {name: value for name, value in twin.loading().items() if not callable(value)}

    smaller = {field: _halved(getattr(recipe, field), limits[field]) for field in _left(recipe, limits)}
    return {field for field, value in smaller.items() if told(**{field: value}) != told()}


def _numbers(value):
    return value if isinstance(value, tuple) else (value,)


def _halved(value, limit):
    if isinstance(value, tuple):
        return tuple(_halved(number, limit) for number in value[:limit])
    while value > limit:
        value = -(-value // 2)
    return value


def _try(module, recipe, data):
    """Builds the experiment, and asks it for every phase's loss and an evaluation: on the CPU, where values are checked, too."""
    torch.manual_seed(0)
    experiment = module.build(recipe, data[0])
    experiment.generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for phase in playing_in_each_stage(experiment, recipe):
            experiment(data[0].batch(torch.arange(min(len(data[0]), recipe.batch_size))), phase.name)
        experiment.eval()
        experiment.evaluate(data[1])


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
    """load_data gives this data, whoever has imported it."""
    ours = [module for name, module in sys.modules.items() if name.startswith(OURS)]  # asking thousands takes longer than a step
    known = [module for module in ours if getattr(module, "load_data", None) is load_data and module is not _SELF]
    for module in known:
        module.load_data = lambda recipe: data
    try:
        yield
    finally:
        for module in known:
            module.load_data = load_data


def stand_ins_of(recipe):
    """The file of tests with stand-ins for data sets of the recipe's modality."""
    return importlib.import_module(f"tests.data.modality_{recipe.modality}")


def few(recipe):
    """(train, held-out) of a recipe, EXAMPLES of each; random images and embedded sounds and texts where the data is not here."""
    if recipe.modality is None:
        return load_data(recipe)
    stand_ins = stand_ins_of(recipe)
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
