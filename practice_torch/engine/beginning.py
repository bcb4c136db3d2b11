"""Start a training run, or resume one from its newest checkpoint. Used by commands and projects."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from practice_torch.engine.batches.datasets import Data
from practice_torch.engine.batches.order import first_batch
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.experiment import Experiment, HasRemarks, HasStart
from practice_torch.engine.loop import Training
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.origin import Origin
from practice_torch.engine.storage.run import Run

TrainAndHeldOut = tuple[Data, Data]
Say = Callable[[str], None]  # with a warning, in every process


def begin(
    folder: str | Path | None,
    topic: str,
    name: str,
    module: ModuleType,
    recipe: Recipe,
    data: TrainAndHeldOut,
    cpu: bool,
    say: Say,
    origin: Origin | None = None,
) -> Training:
    """The training of a new run of the recipe with this name; `folder` as Run.create takes it. An error leaves no folder.

    origin: the trained model from which it begins.
    """
    experiment = _built(module, recipe, data, origin)
    for remark in experiment.remarks if isinstance(experiment, HasRemarks) else ():
        say(remark)
    processes = Processes(cpu)
    more = {"from": origin.facts()} if origin else {}
    run = processes.broadcast(lambda: Run.create(folder, topic, name, recipe, data[0].description, more))
    try:
        return _started(run, recipe, experiment, data, cpu, origin)
    except BaseException:
        remove_unless_begun(run, processes)
        raise


def resume(
    run: Run, module: ModuleType, recipe: Recipe, data: TrainAndHeldOut, cpu: bool, say: Say, origin: Origin | None = None
) -> Training:
    """The training of a run that stopped, from its newest checkpoint, or from its first step if it stopped before one.

    origin: the trained model from which it begins, if it stopped before its first checkpoint.
    """
    experiment = _built(module, recipe, data, origin)
    begun = run.has_begun()
    training = _training(run, recipe, experiment, data, cpu) if begun else _started(run, recipe, experiment, data, cpu, origin)
    training.restore(say)
    return training


def remove_unless_begun(run: Run, processes: Processes) -> None:
    """Delete a run that has no checkpoint."""
    if processes.first and not run.has_begun():
        run.remove()


def _built(module, recipe, data, origin) -> Experiment:
    torch.manual_seed(recipe.seed)  # the first weights
    experiment = module.build(recipe, data[0])
    if origin and origin.whole:
        origin.hand_over(experiment, recipe)
    return experiment


def _started(run, recipe, experiment, data, cpu, origin):
    if isinstance(experiment, HasStart) and not (origin and origin.whole):
        experiment.start(first_batch(data[0], recipe))
    return _training(run, recipe, experiment, data, cpu)


def _training(run, recipe, experiment, data, cpu):
    return Training(run, recipe, experiment, *data, cpu=cpu)
