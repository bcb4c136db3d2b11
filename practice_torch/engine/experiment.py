"""The interface of an experiment: required members (`Experiment`) and optional ones (`HasStudy`, ...)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from practice_torch.engine.artifacts import Artifact
from practice_torch.engine.batches.data import Data
from practice_torch.engine.bounds import Bounded
from practice_torch.engine.distributed.evaluation_shares import Shares
from practice_torch.engine.distributed.whole_batch import WholeBatch


class Metric(NamedTuple):
    """Description of a number in a report: its unit, and a phrase that describes what it measures."""

    unit: str
    meaning: str


@dataclass(frozen=True)
class Phase:
    """One player's turn in every step: its loss is `forward(batch, name)`, and its own optimizer moves only `moves`.

    Each turn gets a fresh batch; `times` turns are taken in a row. While a phase plays, all other parameters are frozen
    (gradients still flow through them). With nothing to move, `forward` runs without gradients: a model that counts
    updates its buffers there.
    """

    name: str
    moves: tuple[str, ...] = ()
    times: int = 1
    learning_rate: float | None = None  # where a player's step size differs from the recipe's
    # Parameters with their own step size, which weight decay leaves alone: the end of their dotted names -> factor of the
    # phase's. {"log_step": 0.1} is for every log_step among what moves, {"0.bias": 2.0} for the first bias of a sequence.
    rates: Mapping[str, float] = field(default_factory=dict)
    # Whether in some steps some of what moves has no gradient, such as a layer that grows later. Several processes then search
    # for it in every backward pass; where it is not said, they end in an error.
    partial: bool = False

    def __post_init__(self):
        if not isinstance(self.moves, tuple):
            raise ValueError(f"moves of phase {self.name} is {self.moves!r}; it must be a tuple of attribute names")
        if self.times < 1:
            raise ValueError(f"times of phase {self.name} is {self.times}; it must be at least 1")
        if wrong := {name: rate for name, rate in self.rates.items() if not rate > 0}:
            raise ValueError(f"rates of phase {self.name} are {wrong}; they must be positive")


class Experiment(Protocol):
    """The interface of every experiment: a `torch.nn.Module` with these members.

    It is made by its topic's `build(recipe, data)`, which reads nothing of `data` but `data.description`: a trained model is
    sampled without its data. What must survive an interruption is a parameter or a buffer.
    """

    phases: tuple[Phase, ...]  # the order of play within a step
    explains: Mapping[str, Metric]  # name -> unit and meaning, of everything that `evaluate` can report
    generator: torch.Generator | None  # every draw comes from it; the engine sets it, seeds it and saves its state

    def forward(self, batch: Mapping[str, Tensor], phase: str) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss of the phase with this name, a scalar, and what to log: detached scalars."""

    def evaluate(self, data: Data) -> Mapping[str, float]:
        """Metrics on held-out data, the recipe's own among them."""

    def preview(self, data: Data) -> Mapping[str, Artifact]:
        """Artifacts of the model during training. An error here is reported, and training continues."""

    def sample(self, count: int) -> Mapping[str, Artifact]:
        """Samples of the trained model."""


@runtime_checkable
class HasCount(Protocol):
    """An experiment with a loss averaged over something other than the examples of a batch, such as its valid tokens."""

    def count(self, batch: Mapping[str, Tensor], phase: str) -> int | Tensor:
        """Number of terms of the mean. Gradients of several batches or processes are weighted by it."""


@runtime_checkable
class HasWholeBatch(Protocol):
    """An experiment that computes more from a training batch than its loss, such as moving averages of sums over its examples.

    Each of several processes has a part of the batch, and adds its sums to those of the others.
    """

    whole_batch: WholeBatch  # set by the engine; WholeBatch() in one process


@runtime_checkable
class HasShares(Protocol):
    """An experiment that shares its evaluation, previews and samples among the processes: each takes some of the batches, and
    draws some of the samples (engine/shares.py). Without this member rank 0 computes all of it.
    """

    shares: Shares  # set by the engine; ALONE in one process


@runtime_checkable
class HasEvaluationWeight(Protocol):
    """An experiment whose metrics are means over the held-out data, with equal weights, and whose `evaluate` draws nothing.

    Several processes then evaluate a share of the data each.
    """

    def evaluation_weight(self, data: Data) -> float | Mapping[str, float]:
        """The weight of the means, such as the number of bytes: with it the metrics of two parts of the data average to those
        of the whole. A mapping if it differs between metrics.
        """


@runtime_checkable
class HasStart(Protocol):
    """An experiment that may begin from weights of another run, or from statistics of the data. A run that is resumed, sampled or
    evaluated has its own.
    """

    def start(self, batch: Mapping[str, Tensor]) -> None:
        """Called once, before the first step of a run, on the CPU. batch: the first of the training, before augmentation; of
        several processes each gets all of it.
        """


@runtime_checkable
class HasPreparation(Protocol):
    """An experiment that computes something of its data once, such as what a network gives to them that will change."""

    def prepare(self, train_data: Data, held_out_data: Data) -> None:
        """Called on the device before the first step, and before the first checkpoint: buffers keep what it finds. Again in a run
        that stopped before its first step.
        """


@runtime_checkable
class HasTokenizer(Protocol):
    """An experiment whose tokenizer is a part of the model: a training from its weights, and an evaluation on another text,
    encode by it.
    """

    def tokenizer(self) -> Any:
        """encode(text or bytes), decode(tokens), lengths(), vocabulary_size; content: the bytes of its file, or a function."""


@runtime_checkable
class HasFolder(Protocol):
    """An experiment that writes a file of its own into the run folder, such as the log of another process."""

    folder: Path | None  # set by the engine when it trains; None before


@runtime_checkable
class HasEager(Protocol):
    """An experiment with networks that torch.compile cannot take, or that no training step calls."""

    eager: Mapping[str, str]  # dotted name of a network -> why it is not compiled


@runtime_checkable
class HasCalls(Protocol):
    """An experiment whose steps call a method of a network that is not its `__call__`, which alone is compiled otherwise."""

    calls: Mapping[str, str]  # dotted name of a network -> the method that is compiled, too


@runtime_checkable
class HasStudy(Protocol):
    """An experiment of which more can be measured than an evaluation has time for."""

    def study(self, data: Data) -> Mapping[str, Artifact]:
        """Measurements of `evaluate RUN --study` on the held-out data."""


@runtime_checkable
class HasRemarks(Protocol):
    """An experiment whose recipe is valid but likely to train poorly."""

    remarks: Sequence[str]  # warnings, a line each, printed before the training begins


@runtime_checkable
class HasSampling(Protocol):
    """An experiment whose `sample` takes options: `sample RUN --option value` changes them before it calls `sample(count)`.

    The dataclass rejects invalid option values with a ValueError (see engine/bounds.py); `sample` rejects those that this model
    cannot meet, such as a prompt longer than its context, with an OptionError.
    """

    sampling: Bounded  # a frozen dataclass instance: the options with their defaults, and a line of help under each


def require_experiment(experiment: object) -> None:
    """Raise TypeError with the members that the experiment lacks."""
    members = {*Experiment.__annotations__, *(name for name in vars(Experiment) if not name.startswith("_"))}
    if missing := sorted(name for name in members if not hasattr(experiment, name)):
        raise TypeError(f"{type(experiment).__name__} has no {', '.join(missing)}; engine/experiment.py documents them")


def phase_parameters(experiment: Experiment, phase: Phase) -> Iterator[tuple[str, nn.Parameter]]:
    """The phase's parameters as (dotted name, parameter), in the experiment's own order; shared parameters once."""
    for attribute in phase.moves:
        if not hasattr(experiment, attribute):
            raise ValueError(f"phase {phase.name} moves {attribute!r}, which the experiment does not have")
    found = [
        (name, parameter)
        for name, parameter in experiment.named_parameters()
        if any(name == attribute or name.startswith(attribute + ".") for attribute in phase.moves)
    ]
    if phase.moves and not found:
        raise ValueError(f"phase {phase.name} moves {', '.join(phase.moves)}, but no parameter is there")
    return found
