"""The space that a run's checkpoints will take on the disk, before the first step."""

import shutil

from practice_torch.data.reading.memory import amount
from practice_torch.engine.training_state import TrainingState


def checkpoint_bytes(training: TrainingState) -> tuple[int, int]:
    """Bytes of the tensors of (a checkpoint, the weights alone), once every parameter has moved; of all parts of a sharded model.

    Generators and logged values, a few kilobytes, are not counted.
    """
    weights = _bytes(training.experiment.state_dict().values()) + _bytes(training.average.values())
    moments = 0
    for player in training.players:
        moments += 2 * _bytes(player.parameters.values()) + 4 * len(player.parameters)  # AdamW's, and its count of steps
    return weights + moments, weights


def disk_plan(training: TrainingState) -> str:
    """The most that the checkpoints of a run will take, as one line: a note, or a warning if less is free."""
    recipe, (whole, weights) = training.recipe, checkpoint_bytes(training)
    for_good = recipe.steps // recipe.keep_every if recipe.keep_every else 0
    total = (2 + for_good) * whole + 2 * weights * recipe.keeps_best()
    parts = ["the newest two"]
    if for_good:
        parts.append(f"{for_good} more, one every {recipe.keep_every} steps")
    words = f"checkpoints take at most {amount(total)} of disk: {' and '.join(parts)}, {amount(whole)} each"
    if recipe.keeps_best():
        words += f"; the weights of the best two evaluations, {amount(weights)} each"
    free = shutil.disk_usage(training.run.folder).free
    return f"note: {words}" if total <= free else f"warning: {words}; only {amount(free)} is free"


def _bytes(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
