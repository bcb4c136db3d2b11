"""The trained models that come with the package: run folders in practice_torch/examples, with weights in half precision."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from practice_torch.engine.errors import RunError

FOLDER = Path(__file__).parent.parent.parent / "examples"


def examples():
    """Their topics and recipes by name, in alphabetical order."""
    found = {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*/recipe.json"))}
    return {name: {"topic": asked["topic"], "recipe": asked["recipe"]} for name, asked in found.items()}


def folder_of(where):
    """The folder that a name or a path means. A path that exists comes first, then an example."""
    return FOLDER / where if _is_example(where) else Path(where)


def own_folder(where):
    """The same for commands, which write into it: an example is copied to runs/example-<name> by the first command that names it.

    RunError if there is no room for the copy.
    """
    if not _is_example(where):
        return Path(where)
    copy = Path("runs") / f"example-{where}"
    if (copy / "recipe.json").is_file():
        return copy
    try:
        copy.parent.mkdir(exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{where}-", dir=copy.parent))
        try:
            shutil.copytree(FOLDER / where, aside / where, copy_function=shutil.copyfile)
            os.rename(aside / where, copy)
        finally:
            shutil.rmtree(aside)
    except OSError as error:
        if (copy / "recipe.json").is_file():  # another process was faster
            return copy
        raise RunError(f"cannot copy the example {where} to {copy}: {error.strerror}") from None
    return copy


def _is_example(where):
    return not Path(where).exists() and str(where) in examples()
