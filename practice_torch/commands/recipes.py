"""The topics that train and their recipes, found by what a user types."""

import ast
import functools
import importlib
from pathlib import Path

from shared_specs.commands.errors import UsageError
from shared_specs.commands.topics import planned_only, topics_named
from shared_specs.syllabus import load

HERE = Path(__file__).parent.parent


def topic_of(text):
    """The path of the one topic that trains and that the text names; UsageError otherwise."""
    topics = topics_named([text])
    there = [topic for topic in topics if recipe_names(topic.path)]
    if len(there) == 1:
        return there[0].path
    names = ", ".join(topic.path for topic in there or topics)
    if there:
        raise UsageError(f"{text!r} means {names}: name one of them")
    if not any(topic.built for topic in topics):
        raise planned_only(topic.path for topic in topics)
    trained = ", ".join(path for path in load().topics if recipe_names(path))
    raise UsageError(f"{names} trains nothing; topics that train: {trained}")


def recipe_names(path):
    """The keys of a topic's RECIPES, read from its source: listing needs no torch."""
    return _keys(path, "RECIPES")


def pretrained_topics():
    """{model_type: path of the topic whose networks take such weights}, read from the sources."""
    return {model_type: path for path in load().topics for model_type in _keys(path, "PRETRAINED")}


def _keys(path, name):
    for node in _source(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            if isinstance(node.value, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.value.keys):
                return [key.value for key in node.value.keys]
            return list(getattr(module_of(path), name))
    return []


def has_study(path):
    """Whether an experiment of the topic has a study, also read from its source."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "study" for node in ast.walk(_source(path)))


@functools.cache
def _source(path):
    """The source of a topic's experiment, parsed; of a topic without one, an empty one."""
    file = HERE / "experiments" / f"{path}.py"
    return ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")


def module_of(path):
    """The module of a topic's experiment."""
    return importlib.import_module("practice_torch.experiments." + path.replace("/", "."))


def published_of(path, name):
    """The published result that a recipe reproduces, or None."""
    return getattr(module_of(path), "PUBLISHED", {}).get(name)
