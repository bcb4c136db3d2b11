"""One training step: the turns of its players. Used by the loop, and by engine/costs/ to measure its cost."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch

from practice_torch.engine.experiment import Experiment
from practice_torch.engine.optimizers import Player, freeze_others
from practice_torch.engine.recipe import Recipe

T = TypeVar("T")


def autocast(recipe: Recipe, device_type: str) -> contextlib.AbstractContextManager[Any]:
    """Inside, networks compute in the recipe's precision."""
    return torch.autocast(device_type, torch.bfloat16) if recipe.precision == "bfloat16" else contextlib.nullcontext()


def take_step(
    playing: Iterable[Player],
    players: Sequence[Player],
    turn: Callable[[Player], None],
    times: Callable[[int], Iterable[object]] = range,
) -> None:
    """Call turn(player) for each turn of the players of this step, with the parameters of all other players frozen.

    times(n): an iterable with an item for each of n turns.
    """
    for player in playing:
        if len(players) > 1:
            freeze_others(player, players)
        for _ in times(player.phase.times):
            turn(player)


def take_turn(
    experiment: Experiment,
    player: Player,
    batches: Iterable[T],
    loss: Callable[[T], torch.Tensor],
    update: Callable[[Player], None],
    *,
    keep: bool = False,
    around: Callable[[T], contextlib.AbstractContextManager[Any]] = lambda batch: contextlib.nullcontext(),
) -> None:
    """Add up the gradients of loss(batch) over the batches of one turn, then update(player).

    A player that moves nothing computes its losses without gradients. around(batch): a context for both passes of a batch. keep:
    the gradients of the last turn live until the first backward pass of this one, so that an error can name them; otherwise
    those of all players are freed before the first forward pass.
    """
    moves = bool(player.phase.moves)
    if not keep:
        experiment.zero_grad()
    for number, batch in enumerate(batches):
        with torch.set_grad_enabled(moves), around(batch):
            value = loss(batch)
            if moves:
                if keep and number == 0:
                    player.optimizer.zero_grad()
                value.backward()
            del value  # the memory of its graph
    if moves:
        update(player)
