"""The floating-point operations of a training step, counted on meta tensors: nothing is computed, and no memory is taken."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from practice_torch.engine.experiment import Experiment, phase_parameters
from practice_torch.engine.optimizers import Player
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import Place, Stage
from practice_torch.engine.step import take_step, take_turn

# torch's formulas, which know addmm only
_FORMULAS = flop_registry | {torch.ops.aten.addmm_: lambda total, a, b, **_: 2 * a.shape[0] * a.shape[1] * b.shape[1]}


class Counting(TorchDispatchMode):
    """Counts the operations inside it, by kind: "convolution" or "product".

    torch's FlopCounterMode finds the same numbers, in a quarter more time, but fails where a step differentiates with respect to
    a leaf, as those of score matching and of regularized energies do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = Counter()

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # nothing is compiled here, and saying so costs as much as many an operation

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation is torch.ops.prim.device.default:  # autograd asks fake tensors for theirs, about as often as it computes
            return args[0].fake_device
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # where operations arrive whole that autograd would have taken apart
            with self:
                out = operation.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = operation(*args, **kwargs)
        formula = _FORMULAS.get(operation.overloadpacket)
        if formula and (count := formula(*args, **kwargs, out_val=out)):
            self.operations["convolution" if "convolution" in operation.overloadpacket.__name__ else "product"] += count
        return out


def flops_of(call: Callable[[], Any]) -> int:
    """Multiplications and additions while call() runs, counted as those of a step."""
    with Counting() as counting:
        call()
    return counting.operations.total()


def flops_of_step(experiment: Experiment, batch: Mapping[str, Tensor], recipe: Recipe, stage: Stage | None = None) -> int:
    """Multiplications and additions of one step: forward and backward pass of every turn of every player, accumulation included.

    stage: of a recipe with stages, the one of the step, which is not its first.

    Counted are products of matrices, convolutions and attention (all pairs, also where it is causal), as is usual for model
    FLOPs utilization; neither element-wise operations nor the optimizer. Only shapes and types of the batch matter; experiment
    and batch may lie on any device, and both stay as they are. A phase that moves nothing counts nothing.

    Raises RuntimeError or NotImplementedError where a step reads values, which meta tensors do not have.
    """
    twin = on_meta(experiment)
    if stage:
        twin.place = Place(stage.name, 1)
    players = [Player(phase, dict(phase_parameters(twin, phase)), None) for phase in twin.phases if phase.moves]
    playing = [player for player in players if stage is None or player.phase.name in stage.phases]
    batch = {name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta") for name, tensor in batch.items()}
    counts = []

    def turn(player):
        def loss(batch):
            return twin(batch, player.phase.name)[0]

        count = flops_of(lambda: take_turn(twin, player, (batch,), loss, lambda player: None))
        counts.append(player.phase.times * count)

    # a draw without a device is one on the CPU, from torch's own generator
    with torch.random.fork_rng(devices=()):
        take_step(playing, players, turn, times=lambda _: (None,))  # each turn takes as many operations as the first
    return recipe.accumulate * sum(counts)


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of a module on the meta device, in training mode: parameters and buffers have shapes and types but no values.

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
