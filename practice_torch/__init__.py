"""The practice wing: the same functions in PyTorch, networks, the training engine, data, and experiments.

    import practice_torch

    model = practice_torch.load("digits")  # or a run folder
    model.sample(16)

Importing it imports neither torch nor anything else that takes time: `load` and `open_run` do.
"""

from typing import TYPE_CHECKING

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
