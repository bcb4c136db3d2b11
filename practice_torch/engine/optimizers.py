"""The players of an experiment: the parameters of each optimizer, one turn of a player, and the detection of failed turns."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment, HasCount, Phase, phase_parameters
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.schedule import learning_rate_factor


@dataclass(frozen=True)
class Player:
    """A phase, the parameters it moves (by name), and the optimizer that moves them (None: nothing to move)."""

    phase: Phase
    parameters: dict[str, nn.Parameter]
    optimizer: torch.optim.Optimizer | None

    def set_learning_rate(self, step: int, recipe: Recipe) -> None:
        """The step sizes of step `step`."""
        for group in self.optimizer.param_groups if self.optimizer else ():
            group["lr"] = group["initial_lr"] * learning_rate_factor(step, recipe)


def make_player(experiment: Experiment, phase: Phase, recipe: Recipe) -> Player:
    """A phase with its own optimizer, as the recipe defines it."""
    parameters = dict(phase_parameters(experiment, phase))
    if not parameters:
        return Player(phase, parameters, None)
    groups = _groups(phase, parameters, recipe)
    return Player(phase, parameters, torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), eps=1e-8, fused=True))


def _groups(phase, parameters, recipe):
    """The parameters by learning rate and weight decay; one group is one call of the fused kernel.

    Only what multiplies inputs is decayed: a decayed bias, gain or frequency would pull the function, not its complexity.
    """
    groups, unused = {}, set(phase.rates)
    for name, parameter in parameters.items():
        own = [end for end in phase.rates if f".{name}".endswith(f".{end}")]
        if len(own) > 1:
            raise ValueError(f"phase {phase.name} has several rates of {name}: {', '.join(own)}")
        unused.difference_update(own)
        rate = (phase.learning_rate or recipe.learning_rate) * (phase.rates[own[0]] if own else 1.0)
        decay = 0.0 if own or parameter.ndim < 2 else recipe.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    if unused:
        raise ValueError(f"phase {phase.name} has rates of {', '.join(sorted(unused))}, with which no parameter's name ends")
    return [{"params": found, "lr": rate, "initial_lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def initialize_moments(player: Player, steps: int) -> None:
    """Make Adam's moments of the parameters that move for the first time, as if they had had `steps` gradients of zero before.

    Adam then corrects its bias as for a training that has gone on for so long: late in a training the first steps of such a
    parameter are up to a few times those that a new optimizer would take.
    """
    for parameter in player.parameters.values():
        if parameter.grad is not None and not player.optimizer.state[parameter]:
            count = torch.full((), float(steps), device=parameter.device)
            moments = {slot: torch.zeros_like(parameter) for slot in ("exp_avg", "exp_avg_sq")}
            player.optimizer.state[parameter] = {"step": count} | moments


def displayed_player(players: Sequence[Player]) -> Player:
    """The player whose loss is displayed: the first with an optimizer. A phase that only collects data may have no loss."""
    return next((player for player in players if player.optimizer), players[0])


def freeze_others(player: Player, players: Iterable[Player]) -> None:
    """Freeze all parameters except the player's own; gradients still flow through the others."""
    for other in players:
        for parameter in other.parameters.values():
            parameter.requires_grad_(False)
    for parameter in player.parameters.values():
        parameter.requires_grad_(True)


def weights_of_batches(
    experiment: Experiment, batches: Sequence[Mapping[str, torch.Tensor]], phase: str, processes: Processes
) -> torch.Tensor | tuple[float]:
    """Weights of the batches' mean losses, so that their gradients add up to that of one large batch.

    sum_k n_k l_k / sum n, over the batches of all processes; times the number of processes, over which gradients are averaged.
    """
    if len(batches) == processes.count == 1:
        return (1.0,)
    if isinstance(experiment, HasCount):
        counts = [experiment.count(batch, phase) for batch in batches]
    else:
        counts = [len(next(iter(batch.values()))) for batch in batches]
    # Where they were counted, or where processes add up: nothing is copied from a device or to it, for which the host would wait.
    tensors = [each for each in counts if isinstance(each, torch.Tensor)]
    device = processes.device if processes.count > 1 else tensors[0].device if tensors else None
    counts = torch.stack([_number(each, device) for each in counts])
    return processes.count * counts / processes.total(counts.sum())


def _number(value, device):
    """A number or a tensor of one as float64, []; a number is filled in on the device."""
    options = {"dtype": torch.float64, "device": device}
    return value.detach().to(**options) if isinstance(value, torch.Tensor) else torch.full((), value, **options)


def not_finite(
    what: str, phase: str, step: int, experiment: nn.Module, logs: Mapping[str, torch.Tensor], recipe: Recipe, checkpoints: Path
) -> RunError:
    """The error for a loss or a gradient that is not finite; it names the first tensor that is not finite."""
    state = experiment.state_dict()  # first: it brings a sharded model back to its parts, which have the gradients
    named = [(f"gradient of {name}", p.grad) for name, p in experiment.named_parameters() if p.grad is not None]
    named += list(state.items()) + [(f"log {name}", value) for name, value in logs.items()]
    # of a sharded tensor this process's part: the other processes may have no reason to come here and help
    named = [(name, t.to_local() if hasattr(t, "to_local") else t) for name, t in named]
    culprit = next((name for name, t in named if t.is_floating_point() and not bool(t.isfinite().all())), None)
    owner = "this process's" if recipe.shard else "all"
    first = f"{culprit} is not finite" if culprit else f"{owner} weights and gradients are still finite"
    return RunError(
        f"the {what} at step {step} in phase {phase} ({first}); lower --learning-rate (now {recipe.learning_rate:g}) or set "
        f"--clip-norm; the last good checkpoint is kept in {checkpoints}"
    )


def is_finite(tensor: torch.Tensor) -> bool:
    return math.isfinite(tensor.item())
