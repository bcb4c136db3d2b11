"""Files of a topic that a central test reads, found by their paths: tests/<family>/<kind>_<topic>.py."""

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parents[1]


@cache
def topics_with(kind: str) -> list[str]:
    """The topics that have a file of the kind, in the order of their paths."""
    paths = sorted(HERE.glob(f"*/{kind}_*.py"))
    return [f"{path.parent.name}/{path.stem.removeprefix(f'{kind}_')}" for path in paths]


def module_with(kind: str, topic: str) -> ModuleType:
    """The topic's file of the kind, imported."""
    return import_module(f"tests.{topic.replace('/', f'.{kind}_')}")
