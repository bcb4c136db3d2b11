"""Evaluations, previews and studies of a model in training; they have their own random numbers and do not change the training."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from practice_torch.engine import gpu
from practice_torch.engine.batches.data import Data
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.distributed.evaluation_shares import ALONE, ElsewhereError, Shares, agreed
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import HasEvaluationWeight, HasShares
from practice_torch.engine.storage.state import set_torch_states, torch_states
from practice_torch.engine.training_state import TrainingState

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Every count-th example of a data set, from the rank-th on."""

    data: Data
    rank: int
    count: int

    @property
    def description(self) -> Mapping[str, Any]:
        return self.data.description

    def __len__(self) -> int:
        return len(range(self.rank, len(self.data), self.count))

    def batch(self, indices: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        indices = torch.arange(len(self)) if indices is None else indices
        return self.data.batch(self.rank + self.count * indices)

    def to(self, device: torch.device) -> "Share":
        return Share(self.data.to(device), self.rank, self.count)


def evaluate(training: TrainingState) -> Mapping[str, float]:
    """The experiment's metrics on the held-out data, with their own random numbers that are always the same.

    Several processes share the work if the experiment supports it (HasShares, HasEvaluationWeight). RunError if the
    weights have grown too large to compute with.
    """
    experiment, processes, data = training.experiment, training.processes, training.held_out_data
    if isinstance(experiment, HasEvaluationWeight) and 1 < processes.count <= len(data) and not training.sharded:
        share = Share(data, processes.rank, processes.count)
        weigh = lambda: (experiment.evaluation_weight(share), dict(experiment.evaluate(share)))  # noqa: E731
        return means(
            processes.all_gather(call_on_ranks(training, "evaluate", lambda: _require_finite(training, weigh), by_all=True))
        )
    found = call_on_ranks(training, "evaluate", lambda: _require_finite(training, lambda: experiment.evaluate(data)))
    return processes.broadcast(lambda: found)


def _require_finite(training, measure):
    """measure(), with a RunError in place of the error of a matrix with an infinite entry."""
    try:
        return measure()
    except (torch.linalg.LinAlgError, np.linalg.LinAlgError) as error:
        sizes = {name: p.detach().abs().max().item() for name, p in training.experiment.named_parameters() if p.numel()}
        name = max(sizes, key=sizes.get)
        raise RunError(
            f"the evaluation at step {training.step} computes with a matrix that is not finite; the largest weight is "
            f"{sizes[name]:.3g}, in {name}; {training.mend()}"
        ) from error


def means(parts: Sequence[tuple[float | Mapping[str, float], Mapping[str, float]]]) -> dict[str, float]:
    """The metrics of all data from (evaluation_weight, metrics) of its parts."""

    def mean(name):
        weights = [weight[name] if isinstance(weight, Mapping) else weight for weight, _ in parts]
        return sum(weight * metrics[name] for weight, (_, metrics) in zip(weights, parts, strict=True)) / sum(weights)

    return {name: mean(name) for name in parts[0][1]}


def preview(training: TrainingState, say: Callable[[str], None]) -> None:
    """Compute the previews; rank 0 writes them. A failure is reported and does not stop the training."""
    try:
        artifacts = call_on_ranks(training, "preview", lambda: training.experiment.preview(training.held_out_data))
    except Exception as error:
        return say(f"warning: no previews at step {training.step}: {_one_line(error)}")
    for name, artifact in artifacts.items() if training.processes.first else ():
        try:
            training.run.save_artifacts({name: artifact}, training.step)
            training.records.show(training.step, name, artifact)
        except Exception as error:  # a figure draws itself only when it is written
            say(f"warning: no preview {name!r} at step {training.step}: {_one_line(error)}")


def call_on_ranks(training: TrainingState, purpose: str, function: Callable[[], T], *, by_all: bool = False) -> T | None:
    """Call function() isolated from the training, and return its result on rank 0. All processes wait for each other, and a
    failure in one is an error in all.

    It runs on all processes if the experiment shares its evaluation (HasShares), with `by_all`, or if the model is sharded
    (all then make the same passes); otherwise on rank 0 alone.
    """
    processes, experiment = training.processes, training.experiment
    if processes.count == 1:
        return call_isolated(training, purpose, function)
    shared, found = isinstance(experiment, HasShares) and not training.sharded, None
    try:
        if shared:
            seed = seed_of(training.recipe.seed, purpose, processes.rank)
            own = None if processes.first else torch.Generator(training.device).manual_seed(seed)
            experiment.shares = Shares(experiment, processes, own)
        if shared or by_all:
            processes.broadcast_buffers(experiment)
        if processes.first or shared or by_all or training.sharded:
            found = call_isolated(training, purpose, function)
        agreed(processes)
        return found
    except ElsewhereError:
        raise
    except Exception as error:
        known = isinstance(error, RunError)
        with contextlib.suppress(ElsewhereError):
            agreed(processes, complaint=str(error) if known else f"process {processes.rank}: {_one_line(error)}")
        raise
    finally:
        if shared:
            experiment.shares = ALONE


def call_isolated(training: TrainingState, purpose: str, function: Callable[[], T]) -> T:
    """Call function() without gradients, with the averaged weights, if any, and its own random numbers, leaving no trace."""
    experiment, seed = training.experiment, training.recipe.seed
    states = torch_states(training.device)
    experiment.generator = torch.Generator(training.device).manual_seed(seed_of(seed, purpose))
    torch.manual_seed(seed_of(seed, purpose, "torch"))
    experiment.eval()
    _swap_average(training)
    try:
        whole = training.sharded.gathered() if training.sharded else contextlib.nullcontext()
        plain, fast = gpu.uncompiled(training.compiled), gpu.settings(training.device)
        with whole, plain, fast, torch.no_grad(), training.autocast():
            return function()
    finally:
        _swap_average(training)
        experiment.train()
        experiment.generator = training.generator
        set_torch_states(states)


@torch.no_grad()
def _swap_average(training):
    for name, parameter in training.moved.items():  # in place: a sharded model knows its parameters by their memory
        kept = parameter.clone()
        parameter.copy_(training.average[name])
        training.average[name].copy_(kept)


def _one_line(error: BaseException) -> str:
    """The error's type and message; another process's error unchanged."""
    if isinstance(error, ElsewhereError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
