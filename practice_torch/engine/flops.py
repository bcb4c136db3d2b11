"""The floating-point operations of a training step, counted on meta tensors: nothing is computed, and no memory is taken."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from practice_torch.engine.experiment import Experiment, phase_parameters
from practice_torch.engine.players import Player, let_move
from practice_torch.engine.recipe import Recipe

# torch's counter knows addmm only; as torch's own, this is given shapes
IN_PLACE = {torch.ops.aten.addmm_: lambda total, a, b, **_: 2 * a[0] * a[1] * b[1]}


def flops_of_step(experiment: Experiment, batch: Mapping[str, Tensor], recipe: Recipe) -> int:
    """Multiplications and additions of one step: forward and backward pass of every turn of every player, accumulation included.

    Counted are products of matrices, convolutions and attention (all pairs, also where it is causal), as is usual for model
    FLOPs utilization; neither element-wise operations nor the optimizer. Only shapes and types of the batch matter; experiment
    and batch may lie on any device, and both stay as they are. A phase that moves nothing counts nothing.

    Raises RuntimeError or NotImplementedError where a step reads values, which meta tensors do not have.
    """
    twin = on_meta(experiment)
    players = [Player(phase, dict(phase_parameters(twin, phase)), None) for phase in twin.phases if phase.moves]
    batch = {name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta") for name, tensor in batch.items()}
    total = 0
    # a draw without a device is one on the CPU, from torch's own generator
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        for player in players:
            if len(players) > 1:
                let_move(player, players)
            with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as counter:
                loss, _ = twin(batch, player.phase.name)
                loss.backward()
            total += player.phase.times * counter.get_total_flops()
    return recipe.accumulate * total


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of a module, in training mode, whose parameters and buffers have shapes and types but no values.

    Counters (integers without axes) keep theirs: a first step may read them.
    """
    memo = {id(p): nn.Parameter(_empty(p), p.requires_grad) for p in module.parameters()}
    for buffer in module.buffers():
        counts = buffer.ndim == 0 and not buffer.is_floating_point()
        memo[id(buffer)] = buffer.to("cpu", copy=True) if counts else _empty(buffer)
    memo[id(getattr(module, "generator", None))] = None  # meta tensors are drawn without one
    return copy.deepcopy(module, memo).train()


def _empty(tensor):
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def batch_like(example: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """A batch of `count` examples of the shapes and types of the first in `example`, on the meta device."""
    return {name: torch.empty((count, *tensor.shape[1:]), dtype=tensor.dtype, device="meta") for name, tensor in example.items()}
