"""The practice wing: the same functions in PyTorch, networks, the training engine, data, and experiments.

    import practice_torch

    model = practice_torch.load("digits")  # or a run folder
    model.sample(16)

Importing it imports neither torch nor anything else that takes time: `load`, `open_run` and `train` do.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from practice_torch.commands.loading.model import TrainedModel
    from practice_torch.commands.loading.opened import OpenedRun


def load(
    run: "str | Path",
    *,
    device: "str | torch.device | None" = None,
    dtype: "torch.dtype | None" = None,
    checkpoint: int | str | None = None,
) -> "TrainedModel":
    """The trained model of a run folder, or one that comes with the package, by its name (`list` shows them); in eval mode.

    device: where it computes (default: an accelerator if there is one, else the CPU)
    dtype: precision of its matrix products: torch.float32, bfloat16 or float16 (default: the recipe's on an accelerator, float32
        on the CPU); the weights stay in float32
    checkpoint: the step whose weights to load, or "best" for those of the best evaluation (default: as `sample` does)

    Raises RunError if it is no run folder, or a damaged one, and OptionError for a device or dtype that cannot be used.
    """
    from practice_torch.commands.loading.model import TrainedModel

    return TrainedModel.load(run, device=device, dtype=dtype, checkpoint=checkpoint)


def open_run(run: "str | Path") -> "OpenedRun":
    """The results in a run folder: logged metrics, the evaluation, and both on a notebook's page.

    Raises RunError if it is no run folder.
    """
    from practice_torch.commands.loading.opened import OpenedRun

    return OpenedRun(run)


def train(topic: str, recipe: str, *, run: "str | Path | None" = None, **fields: Any) -> "OpenedRun":
    """Train a recipe of a topic, as the command does: the results in its run folder, which a notebook shows.

    run: the folder, missing or empty (default: runs/<topic>-<recipe>-<n>, with the first free number)
    fields: of the recipe, by their names: steps=100, learning_rate=3e-4

    Progress is printed; an interrupted training is saved, and `python -m practice_torch train --resume RUN` goes on with it.
    Raises UsageError for a topic, a recipe or a field that is not there, OptionError for a value that is not allowed, and
    DataError for data that cannot be read.
    """
    from practice_torch.commands.loading.trained import trained

    return trained(topic, recipe, run, fields)
