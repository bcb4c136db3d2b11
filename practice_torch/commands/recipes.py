"""The topics that train and their recipes, found by what a user types."""

import ast
import functools
import importlib
from pathlib import Path

from practice_torch.command_line import UsageError
from shared_specs.syllabus import load, resolve

HERE = Path(__file__).parent.parent


def topic_of(text):
    """The path of the one topic that trains and that the text names; UsageError otherwise."""
    try:
        topics = resolve(text)
    except LookupError as error:
        raise UsageError(error.args[0]) from None
    there = [topic for topic in topics if recipe_names(topic.path)]
    if len(there) == 1:
        return there[0].path
    names = ", ".join(topic.path for topic in there or topics)
    if there:
        raise UsageError(f"{text!r} means {names}: name one of them")
    trained = ", ".join(path for path in load().topics if recipe_names(path))
    state = "trains nothing" if (HERE / f"{topics[0].path}.py").is_file() else "is planned, not built yet"
    raise UsageError(f"{names} {state}; topics that train: {trained}")


def recipe_names(path):
    """The keys of a topic's RECIPES, read from its source: listing needs no torch."""
    for node in _source(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "RECIPES":
            if isinstance(node.value, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.value.keys):
                return [key.value for key in node.value.keys]
            return list(module_of(path).RECIPES)
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
    """What a recipe reproduces; None where nothing was published of it."""
    return getattr(module_of(path), "PUBLISHED", {}).get(name)
