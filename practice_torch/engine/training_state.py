"""The interface of a training for evaluations and checkpoints."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from practice_torch.engine.batches.data import Data
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.optimizers import Player
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.run import Records, Run


class TrainingState(Protocol):
    """The attributes of engine.loop.Training that change the state, or are part of it."""

    run: Run
    recipe: Recipe
    experiment: Experiment
    processes: Processes
    device: torch.device
    sharded: Any  # engine.distributed.sharding.Sharded, imported only where a model is sharded; None elsewhere
    compiled: bool
    players: Sequence[Player]
    held_out_data: Data
    generator: torch.Generator
    moved: Mapping[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    pending: dict[tuple[str, str], list[torch.Tensor]]
    records: Records
    step: int

    def seed_generators(self, *words: object) -> None:
        """Begin this process's random numbers anew, by the run's seed and the words."""

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Inside, networks compute in the recipe's precision."""

    def mend(self) -> str:
        """Advice against diverging training, for an error message."""

    def identity(self) -> dict[str, Any]:
        """The run's identity in its checkpoints."""
