"""Training from Python: practice_torch.train(TOPIC, RECIPE)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from practice_torch.commands.loading.opened import OpenedRun
from practice_torch.commands.options import Train
from practice_torch.commands.recipes import module_of, topic_of
from practice_torch.commands.training import begun, to_the_end


def trained(topic: str, recipe: str, run: str | Path | None, fields: Mapping[str, Any]) -> OpenedRun:
    """The run of a recipe: see practice_torch.train."""
    command = Train(run=None if run is None else str(run))
    default = module_of(topic_of(topic)).RECIPES.get(recipe)  # `begun` refuses a recipe that is not there
    changes = {name: value for name, value in fields.items() if value is not getattr(default, name, None)}
    words = [word for name, value in changes.items() for word in _words(name, value)]
    with begun(command, [topic, recipe], words) as training:
        to_the_end(training)
        return OpenedRun(training.run.folder)


def _words(name: str, value: Any) -> Iterator[str]:
    """A field that is not the recipe's as the command line has it."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{flag}" if value else f"--no-{flag}"
        return
    yield f"--{flag}"
    yield from map(str, value if isinstance(value, list | tuple) else (value,))
