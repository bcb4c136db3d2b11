"""Sharded models: every process holds its part of each weight, gradient and optimizer state (FSDP2).

DistributedDataParallel keeps the whole model in every process and averages the gradients. torch's fully_shard splits each
parameter along its first axis, gathers the weights of one block right before they are used, frees them afterwards, and gives
every process the mean of its part of the gradient only. The update is the same up to rounding, with less memory.

A network may say by an attribute `blocks`, an nn.ModuleList of modules that are called one after another, what to gather
together; everything else is gathered once a step. accelerate's own plugin needs an accelerator; this is torch's composable
function, which works on CPUs as well. Imported only where it is asked for: DTensor takes half a second.
"""

import contextlib
from collections.abc import Iterator, Mapping

from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from practice_torch.engine.errors import RunError
from practice_torch.engine.processes import Processes
from practice_torch.engine.recomputation import blocks_of


class Sharded:
    """A sharded experiment of one phase, in place of DistributedDataParallel.

    Afterwards the experiment's parameters are new objects (DTensors); references to the old ones are invalid.
    """

    def __init__(self, experiment: nn.Module, processes: Processes) -> None:
        if len(experiment.phases) > 1:
            names = ", ".join(phase.name for phase in experiment.phases)
            raise RunError(f"shard is for experiments of one phase; this one has {names}: train it without --shard")
        mesh = init_device_mesh(processes.device.type, (processes.count,))
        self.experiment, self.first, self.blocks = experiment.to(processes.device), processes.first, blocks_of(experiment)
        try:
            for block in self.blocks:
                fully_shard(block, mesh=mesh, reshard_after_forward=True)
            fully_shard(experiment, mesh=mesh, reshard_after_forward=False)  # its backward pass begins with these weights
        except ValueError as error:  # a parameter without axes, for one, cannot be cut
            raise RunError(f"this experiment cannot be sharded: {error}; train it without --shard") from error

    def __call__(self, batch: Mapping[str, Tensor], phase: str) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The experiment's loss and logs, with the buffers of rank 0, as with DistributedDataParallel."""
        for buffer in self.experiment.buffers():
            distributed.broadcast(buffer, src=0)
        return self.experiment(batch, phase)

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

        All processes must enter, run the same passes, and leave: fully_shard plans its next gathering by them. The weights must
        not be changed inside.
        """
        modules = (*self.blocks, self.experiment)
        for module in modules:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        try:
            yield
        finally:
            for module in modules:
                module.set_reshard_after_forward(module is not self.experiment, recurse=False)
                module.reshard()

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The full tensors, collected one by one on the CPU of rank 0."""
        found = {}
        for name, tensor in tensors.items():
            if isinstance(tensor, DTensor):
                whole = tensor.full_tensor()
                tensor = whole.cpu() if self.first else tensor
            found[name] = tensor
        return found

    @staticmethod
    def part(tensor: Tensor, like: Tensor) -> Tensor:
        """The part of a full tensor that this process holds of `like`, on its device; all of it if `like` has another shape."""
        tensor = tensor.to(like.device)
        if isinstance(like, DTensor) and like.shape == tensor.shape:  # every process has read the whole: none has to send
            return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
        return tensor
