"""What the engine asks of an experiment.

An experiment is a `torch.nn.Module` with

    phases                         the order of play: a tuple of `Phase`
    forward(batch, phase)          phase is the phase's name; returns (loss, logs): a scalar and a dict of detached scalars
    evaluate(data) -> dict         name -> float, on held-out data; contains the recipe's metric
    explains                       name -> Metric(unit, meaning) of everything that evaluate can report
    preview(data) -> dict          name -> artifact (`practice_torch.engine.artifacts`), drawn during training
                                   (what fails there is said, and training goes on)
    sample(count) -> dict          name -> artifact, drawn from the trained model alone
    generator                      every draw comes from it; the engine sets it, seeds it and saves its state

and, where the loss is a mean over something else than the examples of the batch (the valid tokens, say),

    count(batch, phase)            over how many: gradients of several batches or processes are weighted by it

and, where there is more to know of a trained model than an evaluation has time for,

    study(data) -> dict            name -> artifact, measured with the held-out data by `evaluate RUN --study`

and, where a recipe allows what will not go well,

    remarks                        lines of warning, said before the training begins

and, where `sample` can be told how,

    sampling                       a frozen dataclass instance, the options and their defaults, a line of help under each;
                                   `sample RUN --option value` sets a changed one before it calls sample(count)

What an option alone makes impossible its dataclass refuses with a ValueError, what only this model does (a prompt longer than
its context, say) `sample` refuses with an OptionError.

An experiment is made by its topic's `build(recipe, data)`, which reads nothing of `data` but `data.description`: a trained
model can be sampled without its data. Whatever has to survive an interruption is a parameter or a buffer.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Metric(NamedTuple):
    """What a reader of a report needs to know of a number: its unit, and a phrase that says what it measures."""

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

    def __post_init__(self):
        if not isinstance(self.moves, tuple):
            raise ValueError(f"moves of phase {self.name} is {self.moves!r}; it must be a tuple of attribute names")
        if self.times < 1:
            raise ValueError(f"times of phase {self.name} is {self.times}; it must be at least 1")


def phase_parameters(experiment, phase):
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
