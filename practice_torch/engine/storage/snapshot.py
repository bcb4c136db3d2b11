"""The state of a training run as tensors: content of a checkpoint, its checks, and its restoration.

    experiment/<name>                    parameters and buffers
    average/<name>                       the running average of the parameters that move
    optimizer/<phase>/<name>/<slot>      AdamW's moments and its count of steps
    pending/<phase>/<name>               values logged since the last row of metrics.csv
    generator/<rank>/<name>              the engine's generator, and torch's own, in every process

A checkpoint is restored by any number of processes: each rank restores its generators, and a rank that was not
there seeds its own from the run's seed, its rank and the step.
"""

from collections.abc import Mapping
from typing import Any

import torch

from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import difference
from practice_torch.engine.storage.state import require_weights, set_torch_states, torch_states
from practice_torch.engine.training_state import TrainingState

GROUPS = ("experiment", "average", "optimizer", "pending", "generator")
SLOTS = ("step", "exp_avg", "exp_avg_sq")


def weights_and_moments(training: TrainingState) -> dict[str, torch.Tensor]:
    """All tensors that training changes and that must stay finite."""
    tensors = {f"experiment/{name}": tensor for name, tensor in training.experiment.state_dict().items()}
    for player in training.players:
        for name, parameter in player.parameters.items():
            for slot, tensor in player.optimizer.state[parameter].items():
                tensors[f"optimizer/{player.phase.name}/{name}/{slot}"] = tensor
    return tensors | {f"average/{name}": tensor for name, tensor in training.average.items()}


def collect(training: TrainingState) -> tuple[dict[str, torch.Tensor], dict[str, list[int]] | None]:
    """(tensors, offsets) that this process writes into a checkpoint, as checkpoint.save takes them: copies in host memory."""
    first, tensors, offsets = training.processes.first, weights_and_moments(training), None
    for (phase, name), values in training.pending.items():
        tensors[f"pending/{phase}/{name}"] = torch.stack(values)
    mine = {"experiment": training.generator.get_state()} | torch_states(training.device)
    for rank, states in enumerate(training.processes.all_gather(mine)):
        tensors |= {f"generator/{rank}/{name}": state for name, state in states.items()}
    if training.sharded:
        tensors, offsets = training.sharded.parts(tensors)
    copied = {"device": "cpu", "copy": True, "memory_format": torch.contiguous_format}
    return {name: tensor.detach().to(**copied) for name, tensor in tensors.items() if first or training.sharded}, offsets


def never_moved(training: TrainingState) -> list[str]:
    """The parameters, as phase/name, that have had no gradient yet: AdamW has no state for them."""
    players = [player for player in training.players if player.optimizer]
    named = ((player, name, parameter) for player in players for name, parameter in player.parameters.items())
    return [f"{player.phase.name}/{name}" for player, name, parameter in named if not player.optimizer.state[parameter]]


def require_sound(training: TrainingState, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """RunError, worded to follow the path of a checkpoint, if this training cannot be resumed from it."""
    if not {"run", "processes", "seconds", "lengths", "never_moved"} <= facts.keys():
        raise RunError("lacks facts that this engine writes; it is not one of its checkpoints")
    theirs = training.run.as_extended(facts["run"]) if isinstance(facts["run"], dict) else {}
    if theirs != training.identity():
        raise RunError(f"belongs to another run: {difference(theirs, training.identity())}")
    if facts["step"] > training.recipe.steps:
        raise RunError(f"is of step {facts['step']}; the run has {training.recipe.steps}")
    if type(facts["processes"]) is not int:
        raise RunError(f"gives {facts['processes']!r} as its number of processes; it must be an integer")
    training.run.require_lengths(facts["lengths"])
    groups = _groups(tensors)
    require_weights(training.experiment.state_dict(), groups["experiment"])
    require_weights(training.moved, groups["average"], "average of ")
    require_weights(_optimizer_states(training, facts), groups["optimizer"], "optimizer's ")
    _require_pending(training, groups["pending"])
    _require_generators(training, groups["generator"], facts["processes"])


def put_back(training: TrainingState, tensors: Mapping[str, torch.Tensor], step: int) -> None:
    """Restore the state of the training from the tensors of a valid checkpoint of this step."""
    groups = _groups(tensors)
    place = training.sharded.part if training.sharded else _placed
    state = training.experiment.state_dict()
    training.experiment.load_state_dict({name: place(tensor, state[name]) for name, tensor in groups["experiment"].items()})
    training.average = {name: place(groups["average"][name], parameter) for name, parameter in training.moved.items()}
    for player in training.players:
        for name, parameter in player.parameters.items():
            keys = {slot: f"{player.phase.name}/{name}/{slot}" for slot in SLOTS}
            saved = {slot: groups["optimizer"][key] for slot, key in keys.items() if key in groups["optimizer"]}
            player.optimizer.state[parameter].update({slot: place(tensor, parameter) for slot, tensor in saved.items()})
    pending = groups["pending"].items()
    training.pending = {tuple(name.split("/", 1)): list(values.to(training.device)) for name, values in pending}
    # clone: torch crashes the process when it is handed a view of another tensor as a generator's state
    prefix = f"{training.processes.rank}/"
    mine = {name.removeprefix(prefix): t.clone() for name, t in groups["generator"].items() if name.startswith(prefix)}
    if mine:
        training.generator.set_state(mine.pop("experiment"))
        set_torch_states(mine)
    else:  # there were fewer processes: a generator that starts here, of a seed that no other has
        training.seed_generators(training.processes.rank, "resumed", step)


def _placed(tensor, like):
    """On the device of `like`, and in its memory format: fused AdamW steps through memory and ignores strides."""
    return torch.empty_like(like, dtype=tensor.dtype).copy_(tensor) if tensor.shape == like.shape else tensor.to(like.device)


def _groups(tensors):
    groups = {group: {} for group in GROUPS}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        if group not in groups:
            raise RunError(f"holds {key}, which this engine does not write")
        groups[group][name] = tensor
    return groups


def _optimizer_states(training, facts):
    """Tensors like those of all optimizers after this step."""
    states = {}
    for player in training.players if facts["step"] else ():
        for name, parameter in player.parameters.items():
            if f"{player.phase.name}/{name}" not in facts["never_moved"]:
                count = torch.zeros((), dtype=torch.float32)
                for slot, like in zip(SLOTS, (count, parameter, parameter), strict=True):
                    states[f"{player.phase.name}/{name}/{slot}"] = like
    return states


def _require_pending(training, pending):
    phases = [phase.name for phase in training.experiment.phases]
    for name, values in pending.items():
        if name.partition("/")[0] not in phases or values.ndim != 1 or not values.is_floating_point():
            raise RunError(f"holds pending/{name}, {list(values.shape)} of {values.dtype}, which no phase here has logged")


def _require_generators(training, states, processes):
    """One of each for every process that wrote the checkpoint, of this kind of device."""
    here = {"experiment": training.device, "torch": "cpu", "cuda": training.device}
    names = ("experiment", *torch_states(training.device))
    wanted = {f"{rank}/{name}" for rank in range(processes) for name in names}
    if states.keys() != wanted:
        missing, more = (", ".join(sorted(names)) or "none" for names in (wanted - states.keys(), states.keys() - wanted))
        raise RunError(
            f"is from another kind of device, or damaged: of the generators of this run on {training.device.type} it lacks "
            f"{missing}, and of others it has {more}"
        )
    for name, state in states.items():
        try:
            torch.Generator(here[name.partition("/")[2]]).set_state(state.clone())
        except (RuntimeError, TypeError) as error:
            raise RunError(f"holds generator/{name} that is no generator's state ({error})") from None
