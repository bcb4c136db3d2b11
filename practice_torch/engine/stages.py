"""Stages of a training: consecutive steps in which the same phases play. The number of a step alone decides its stage."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from practice_torch.engine.experiment import Experiment, Phase
from practice_torch.engine.recipe import Recipe


class Stage(NamedTuple):
    """`steps` steps in which the phases with these names play, in the experiment's order."""

    name: str
    steps: int
    phases: tuple[str, ...]


class Place(NamedTuple):
    """Progress of a training: the stage of its next step, and the number of steps taken in this stage.

    After the last step: the last stage, and all of its steps.
    """

    stage: str
    taken: int


@runtime_checkable
class HasStages(Protocol):
    """A recipe of an experiment trained in stages. The experiment has an attribute `place`, a Place, which the engine sets.

    A phase that does not play in a step costs nothing: no forward pass, no update. For Adam's correction of its bias the steps in
    which a parameter does not move count as if its gradient were zero.
    """

    def stages(self) -> tuple[Stage, ...]:
        """The stages in order; their steps add up to the recipe's."""


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """The recipe's stages; empty if it has none. ValueError unless their steps add up to the recipe's."""
    stages = recipe.stages() if isinstance(recipe, HasStages) else ()
    if stages and sum(stage.steps for stage in stages) != recipe.steps:
        given = ", ".join(f"{stage.name} {stage.steps}" for stage in stages)
        raise ValueError(f"the stages of {type(recipe).__name__} have {given} steps; together they must have {recipe.steps}")
    return stages


def place_at(stages: tuple[Stage, ...], step: int) -> Place:
    """The place after `step` steps."""
    for stage in stages[:-1]:
        if step < stage.steps:
            return Place(stage.name, step)
        step -= stage.steps
    return Place(stages[-1].name, step)


def batch_numbers(phases: tuple[Phase, ...], stages: tuple[Stage, ...], accumulate: int, first: int = 0) -> Iterator[int]:
    """The numbers of the batches that a training takes, from `first` on: endless, and without those of phases that do not play.

    Batches are numbered as if all phases played in every step.
    """
    if not stages:
        yield from itertools.count(first)
    turns = sum(phase.times for phase in phases)
    for step in itertools.count(first // (turns * accumulate)):
        playing = _playing(stages, place_at(stages, step))
        before = step * turns * accumulate
        for phase in phases:
            after = before + phase.times * accumulate
            if phase.name in playing:
                yield from range(max(before, first), after)
            before = after


def enter(experiment: Experiment, stages: tuple[Stage, ...], step: int) -> tuple[Phase, ...]:
    """Set the experiment's place after `step` steps, and return the phases of the next one."""
    if not stages:
        return experiment.phases
    experiment.place = place_at(stages, step)
    playing = _playing(stages, experiment.place)
    return tuple(phase for phase in experiment.phases if phase.name in playing)


def _playing(stages, place):
    (phases,) = (stage.phases for stage in stages if stage.name == place.stage)
    return phases
