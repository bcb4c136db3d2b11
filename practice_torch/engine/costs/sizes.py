"""The cost of a recipe: parameters, operations of a step, memory, and an estimate of hours. Nothing is computed or loaded.

One step of the recipe at its full size runs under torch's FakeTensorMode: shapes, dtypes and lifetimes are those of a real step,
values and memory are not there. Memory is followed storage by storage, as storages are made and freed; attention is the kernel
of a GPU, which holds no table of all pairs. Not counted: what a kernel takes for itself while it runs, the allocator's fragments,
the process's own context (about 0.5 GB with CUDA), data that lie on the device, evaluations and previews. Nothing is compiled,
and recompute_blocks is not heeded; both would lower the peak.
"""

import contextlib
import itertools
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch._subclasses import FakeTensorMode  # torch exports it nowhere else
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from practice_torch.data.reading.memory import amount
from practice_torch.engine.batches.data import Data
from practice_torch.engine.batches.datasets import blank_data
from practice_torch.engine.costs.flops import Counting
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.optimizers import make_player
from practice_torch.engine.published import Published
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import enter, stages_of
from practice_torch.engine.step import autocast, take_step, take_turn

DEVICE = "H100 SXM"
RATES = {"float32": 494.7e12, "bfloat16": 989.4e12}  # its data sheet, dense operations a second; float32 as TF32
# Of these rates: goals, not measurements. A GPT, which has no convolutions, should reach 0.4, a U-Net of small images 0.2.
UTILIZATION = {"product": 0.4, "convolution": 0.2}
ASSUMPTION = (
    f"Hours are an estimate for one {DEVICE}: matrix products at {UTILIZATION['product']:.0%} and convolutions at "
    f"{UTILIZATION['convolution']:.0%} of its data-sheet rate, which are goals and not measurements; the training steps alone. "
    "Networks too small to fill the device take longer."
)


class StageSizes(NamedTuple):
    """One stage of a recipe: steps, floating-point operations per step, bytes, hours; for one process."""

    name: str
    steps: int
    operations: float
    held: int
    peak: int
    hours: float


class Sizes(NamedTuple):
    """Numbers of parameters and of floating-point operations a step, bytes, hours; of one process.

    Of a recipe with stages: the mean operations of a step, the most bytes of a stage, and the hours of all stages. None, but for
    parameters, where a recipe is fitted without gradients (counts, a table of values).
    """

    parameters: int
    operations: float | None = None
    held: int | None = None
    peak: int | None = None
    hours: float | None = None
    stages: tuple[StageSizes, ...] = ()


def sizes(module: Any, name: str) -> Sizes:
    """The sizes of the named recipe of an experiment's module."""
    recipe = module.RECIPES[name]
    with on_fake_tensors(module, name) as (tally, experiment, data):
        parameters = sum(parameter.numel() for parameter in experiment.parameters())
        if not any(phase.moves for phase in experiment.phases):
            return Sizes(parameters)
        steps, found = step_by_step(experiment, recipe, data, tally), []
        for stage, count in _stages(recipe):
            next(steps)  # makes the optimizers' moments, and what a stage begins with
            tally.operations.clear()
            held = tally.peak = tally.now
            next(steps)
            seconds = sum(count / UTILIZATION[kind] for kind, count in tally.operations.items()) / RATES[recipe.precision]
            hours = count * seconds / 3600
            found.append(StageSizes(stage, count, sum(tally.operations.values()), held, tally.peak, hours))
    operations = sum(stage.steps * stage.operations for stage in found) / recipe.steps if len(found) > 1 else found[0].operations
    most = (max(stage.held for stage in found), max(stage.peak for stage in found))
    hours = sum(stage.hours for stage in found)
    return Sizes(parameters, operations, *most, hours, tuple(found) if stages_of(recipe) else ())


def _stages(recipe):
    """(name, number of steps) of each stage that has steps; of a recipe without stages, of all steps."""
    return [(stage.name, stage.steps) for stage in stages_of(recipe) if stage.steps] or [("", recipe.steps)]


HEADER = f"{'recipe':44s}{'parameters':>11s}{'operations':>11s}{'held':>10s}{'peak':>10s}{'steps':>12s}   hours, estimated"


def line(recipe_name: str, recipe: Recipe, found: Sizes) -> str:
    """A line of the table under HEADER, and one for each stage."""
    start = f"{recipe_name:44s}{_short(found.parameters):>11s}"
    if found.hours is None:
        return f"{start}   fitted without gradients"
    stages = (f"{f'    stage {stage.name}':55s}{_costs(stage, stage.steps)}" for stage in found.stages)
    return "\n".join((f"{start}{_costs(found, recipe.steps)}", *stages))


def _costs(found, steps):
    hours = "less than 0.1" if found.hours < 0.1 else f"{found.hours:.3g}"
    return f"{_short(found.operations):>11s}{amount(found.held):>10s}{amount(found.peak):>10s}{steps:>12,}   {hours}"


def facts_of(recipe: Recipe, found: Sizes, published: Published | None) -> dict[str, Any]:
    """The same as JSON."""
    compared = published and {name: value for name, value in published._asdict().items() if name != "facts"}
    if compared:
        compared["differences"] = [difference._asdict() for difference in published.differences]
    stages = {"stages": [stage._asdict() for stage in found.stages]}
    return {"steps": recipe.steps, "batch_size": recipe.batch_size} | found._asdict() | stages | {"published": compared}


def _short(count):
    power = max(0, min(5, (len(str(int(count))) - 1) // 3))
    return f"{count / 1000**power:.3g} {('', 'k', 'M', 'G', 'T', 'P')[power]}".strip()


@contextlib.contextmanager
def on_fake_tensors(module: Any, name: str) -> Iterator[tuple["Tally", Experiment, Data]]:
    """(Tally, the experiment, its data) of a recipe at full size; inside, tensors have no memory."""
    recipe, published = module.RECIPES[name], getattr(module, "PUBLISHED", {}).get(name)
    with FakeTensorMode(), Tally() as tally, _AttentionOfAGpu():
        data = blank_data(recipe, published.facts if published else {})
        yield tally, module.build(recipe, data), data


def step_by_step(experiment: Experiment, recipe: Recipe, data: Data, tally: "Tally") -> Iterator[None]:
    """Takes steps as the loop takes them on an accelerator. Yields after each; of its tensors only the gradients are left.

    They are the first two steps of each stage; without stages, the first two of the training. Of a phase's turns, and of a turn's
    batches, at most two are taken: a third would repeat the second.
    """
    experiment.train()
    players = [make_player(experiment, phase, recipe) for phase in experiment.phases]
    moved = [parameter for player in players for parameter in player.parameters.values()] if recipe.average_decay else []
    average = [parameter.detach().clone() for parameter in moved]
    indices = range(min(recipe.batch_size, len(data)))

    def turn(player):
        def loss(_):
            with autocast(recipe, "cpu"):
                return experiment(data.batch(indices), player.phase.name)[0]

        take_turn(experiment, player, tally.twice(recipe.accumulate), loss, lambda player: player.optimizer.step())

    stages = stages_of(recipe)
    starts = itertools.accumulate((count for _, count in _stages(recipe)), initial=0)
    for start, (_, count) in zip(starts, _stages(recipe), strict=False):
        for step in (start, start + min(1, count - 1)):
            playing = enter(experiment, stages, step)
            take_step([player for player in players if player.phase in playing], players, turn, times=tally.twice)
            if average:
                get_ema_multi_avg_fn(recipe.average_decay)(average, moved, None)
            yield


class Tally(Counting):
    """Counts what happens inside it: bytes of tensors, now and at most, and operations by kind.

    torch's MemTracker is a private module, and follows the modules and optimizers that it is given, not every storage.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._bytes = {}  # of the storages that live, by their address

    def twice(self, times: int) -> Iterator[None]:
        """Yields `times` times, at most twice: the operations of the second count for those that are left out, too."""
        for _ in range(min(times, 2)):
            before = self.operations.copy()
            yield
        for kind, count in (self.operations - before).items():
            self.operations[kind] += max(0, times - 2) * count

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._hold(leaf.untyped_storage())
        return out

    def _hold(self, storage):
        address = id(storage)  # a storage keeps its Python object as long as it lives
        if address not in self._bytes:
            self._bytes[address] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, address)

    def _free(self, address):
        self.now -= self._bytes.pop(address)


class _AttentionOfAGpu(TorchFunctionMode):
    """Fused attention is the kernel that CUDA has for every precision, mask and dropout; a CPU's would hold all pairs."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.nn.functional.scaled_dot_product_attention:
            return self._attend(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _attend(self, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        if enable_gqa:
            key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.where(attn_mask, 0.0, -torch.inf).to(query.dtype)
        if attn_mask is not None:
            attn_mask = attn_mask.expand(*query.shape[:-1], key.shape[-2])
        attend = torch.ops.aten._scaled_dot_product_efficient_attention
        return attend(query, key, value, attn_mask, torch.is_grad_enabled(), dropout_p, is_causal, scale=scale)[0]
