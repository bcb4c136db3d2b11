"""The run of a model that was trained elsewhere: its weights are a checkpoint of step 0, and nothing was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from practice_torch.engine.batches.data import Data
from practice_torch.engine.costs.environment import environment
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage import checkpoint
from practice_torch.engine.storage.run import TABLES, Run
from practice_torch.engine.storage.state import not_finite


def write_imported(
    folder: str | Path | None,
    topic: str,
    name: str,
    recipe: Recipe,
    data: Data,
    experiment: Experiment,
    source: Mapping[str, Any],
) -> Run:
    """A run folder with the experiment's state as its only checkpoint; `folder` as Run.create takes it.

    source: where the weights came from, an entry of recipe.json. Until the checkpoint is there, every command but a repeated
    import refuses the folder. RunError if it cannot be written, or a weight is not finite; then there is none.
    """
    state = experiment.state_dict()
    if wrong := not_finite(state):
        raise RunError(f"{wrong} has entries that are not finite: the weights are damaged, and nothing is written")
    run = Run.create(folder, topic, name, recipe, data.description, {"imported": dict(source)})
    try:
        for table, header in TABLES.items():
            (run.folder / table).write_text(header, encoding="utf-8")
        run.write_json("environment.json", environment(torch.device("cpu"), 0.0))
        tensors = {f"experiment/{key}": tensor for key, tensor in state.items()}
        checkpoint.save(run.checkpoints, 0, tensors, {"imported": dict(source)})
    except OSError as error:
        run.remove()
        raise RunError(f"cannot write into {run.folder}: {error.strerror}") from None
    except BaseException:
        run.remove()
        raise
    run.lock.release()
    return run


def is_imported(run: Run) -> bool:
    """Whether the run's model was imported, and not trained here."""
    return "imported" in run.asked
