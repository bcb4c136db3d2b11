"""Every recipe of the practice wing, by topic and name."""

import dataclasses
import importlib
from functools import cache

import pytest

from practice_torch.commands.recipes import recipe_names
from practice_torch.engine.recipe import Recipe
from shared_specs.syllabus import load

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


def topic_of(recipe):
    """The topic whose experiment defines the recipe's class."""
    return "/".join(type(recipe).__module__.split(".")[-2:])
