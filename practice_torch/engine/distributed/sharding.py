"""Sharded models: every process holds its part of each weight, gradient and optimizer state (FSDP2).

DistributedDataParallel keeps the whole model in every process and averages the gradients. torch's fully_shard splits each
parameter along its first axis, gathers the weights of one block right before they are used, frees them afterwards, and gives
every process the mean of its part of the gradient only. The update is the same up to rounding, with less memory.

A network may say by an attribute `blocks`, an nn.ModuleList of modules that are called one after another, what to gather
together; everything else is gathered once a step. accelerate's own plugin needs an accelerator; this is torch's composable
function, which works on CPUs as well. Imported only where it is requested: DTensor takes half a second.

Several copies of the model can be sharded, each over its share of the processes (HSDP): with a copy on every machine, weights
cross no network, and gradients cross it once.
"""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.recomputation import blocks_of, frozen_blocks_of


class Sharded:
    """A sharded experiment of one phase, in place of DistributedDataParallel.

    Afterwards the experiment's parameters are new objects (DTensors); references to the old ones are invalid.
    """

    def __init__(self, experiment: nn.Module, processes: Processes, recipe: Recipe) -> None:
        if len(experiment.phases) > 1:
            names = ", ".join(phase.name for phase in experiment.phases)
            raise RunError(f"shard is for experiments of one phase; this one has {names}: train it without --shard")
        copies = recipe.shard_copies or processes.machines
        if processes.count % copies:
            raise RunError(f"shard_copies is {copies}; it must divide the number of processes ({processes.count})")
        self.shards = processes.count // copies
        self.copy, self.shard = divmod(processes.rank, self.shards)
        shape, wanted = ((copies, self.shards), (Replicate(), Shard(0))) if copies > 1 else ((self.shards,), (Shard(0),))
        mesh = init_device_mesh(processes.device.type, shape, mesh_dim_names=("copy", "shard")[-len(shape) :])
        self.experiment, self.first = experiment.to(processes.device), processes.first
        self.blocks = blocks_of(experiment) + frozen_blocks_of(experiment)
        # autocast decides which operations round their inputs; this sets the types of communicated weights and gradients
        half = {"param_dtype": torch.bfloat16, "reduce_dtype": torch.float32} if recipe.precision == "bfloat16" else {}
        how = {"mesh": mesh, "mp_policy": MixedPrecisionPolicy(**half, cast_forward_inputs=False)}
        try:
            for block in self.blocks:
                fully_shard(block, **how, reshard_after_forward=True)
            fully_shard(experiment, **how, reshard_after_forward=False)  # its backward pass begins with these weights
        except (ValueError, NotImplementedError) as error:  # a scalar or a non-contiguous parameter
            raise RunError(f"this experiment cannot be sharded: {error}; train it without --shard") from error
        self._running = False
        for module in experiment.modules():
            module.register_load_state_dict_post_hook(self._gather_again)
        for name, parameter in experiment.named_parameters():
            if not isinstance(parameter, DTensor) or parameter.placements != wanted:
                raise RuntimeError(f"{name} was to be {wanted} on {shape} processes; fully_shard made it {parameter}")

    def __call__(self, batch: Mapping[str, Tensor], phase: str) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The experiment's loss and logs, with the buffers of rank 0, as with DistributedDataParallel."""
        for buffer in self.experiment.buffers():
            distributed.broadcast(buffer, src=0)
        self._running = True
        try:
            return self.experiment(batch, phase)
        finally:
            self._running = False

    def _gather_again(self, *_):
        """load_state_dict reshards the weights; a forward pass that begins by copying a network still needs all of them."""
        if self._running:
            self.experiment.unshard()

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, every process accumulates full gradients, without communication."""
        self.experiment.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self.experiment.set_requires_gradient_sync(True)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Inside, every process holds all weights as plain tensors and can run the model without communication.

        All processes must enter and leave. The weights must not be changed inside. Within a forward pass, which goes on with
        them, the weights outside of blocks stay afterwards.
        """
        modules = (*self.blocks, *(() if self._running else (self.experiment,)))
        for module in modules:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        try:
            yield
        finally:
            for module in modules:
                module.set_reshard_after_forward(module is not self.experiment, recurse=False)
                module.reshard()

    def parts(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[int]]]:
        """This process's parts of the tensors in a checkpoint, and their offsets in the whole tensors.

        Of several copies of the model the first is written; rank 0 writes unsharded tensors.
        """
        found, offsets = {}, {}
        for name, tensor in tensors.items():
            if isinstance(tensor, DTensor) and self.copy == 0:
                rows = -(-len(tensor) // self.shards)  # of all parts but the last ones
                found[name], offsets[name] = tensor.to_local(), [min(self.shard * rows, len(tensor))] + [0] * (tensor.ndim - 1)
            elif not isinstance(tensor, DTensor) and self.first:
                found[name], offsets[name] = tensor, [0] * tensor.ndim
        return found, offsets

    @staticmethod
    def part(tensor: Tensor, like: Tensor) -> Tensor:
        """The part of a full tensor that this process holds of `like`, on its device; all of it if `like` has another shape."""
        tensor = tensor.to(like.device)
        if isinstance(like, DTensor) and like.shape == tensor.shape:  # every process has read the whole: none has to send
            return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
        return tensor
