"""Several processes that train one model: ranks, communication and synchronization.

accelerate's launcher starts them and passes their ranks in the environment. Without it there is one process, at no cost.
"""

import atexit
import functools
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor, distributed, nn

from practice_torch.engine.errors import RunError

T = TypeVar("T")

# How long a process waits for the others before the run ends in an error. A process that has died is noticed at once, because its
# connections close: the limits are for a process that hangs.
TIME_LIMIT = timedelta(hours=3)  # while one process downloads, evaluates, draws or writes
STEP_LIMIT = timedelta(minutes=30)  # for gradients and weights: the longest step is the first, if the others still compile


class Processes:
    """The processes of a run. Rank 0 writes; all processes train.

    What they tell each other travels between the hosts (gloo), apart from gradients and weights (on GPUs, nccl): a process that
    waits for another does not sit in a collective of its device. Another `purpose` is another set of connections, for a thread
    with its own.
    """

    def __init__(self, cpu: bool = False, purpose: str = "talk") -> None:
        state = PartialState(cpu=cpu, timeout=STEP_LIMIT)
        self.rank, self.count = state.process_index, state.num_processes
        self.device = state.device if self.count > 1 else _device_of_one_process(cpu, state)
        self.first_here = state.local_process_index == 0
        self.machines = self.count // int(os.environ.get("LOCAL_WORLD_SIZE", self.count)) if self.count > 1 else 1
        if self.count > 1:
            self._group = _group(purpose)
            atexit.unregister(_part)
            atexit.register(_part)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call make() on rank 0 and return its result, or raise its RunError, in every process."""
        if self.count == 1:
            return make()
        answer = [None, None]
        if self.first:
            try:
                answer = [make(), None]
            except RunError as error:
                answer = [None, str(error)]
        self._exchange(distributed.broadcast_object_list, answer, src=0)
        value, complaint = answer
        if complaint is not None:
            raise RunError(complaint)
        return value

    def rank_zero_first(self, make: Callable[[], T]) -> T:
        """Call make() in every process: first on rank 0, then on the first process of every other machine, then on the others.

        Later processes find what earlier ones downloaded. A failure in one process is raised in every process.
        """
        mine, made, error = 0 if self.first else 1 if self.first_here else 2, None, None
        for turn in range(3 if self.count > 1 else 1):
            if turn == mine:
                try:
                    made = make()
                except Exception as raised:
                    error = raised
            if complaints := [complaint for complaint in self.all_gather(error and str(error)) if complaint is not None]:
                raise error or RunError(complaints[0])
        return made

    def all_gather(self, value: T) -> list[T]:
        """The values of all processes as a list by rank, in every process."""
        values = [value] * self.count
        if self.count > 1:
            self._exchange(distributed.all_gather_object, values, value)
        return values

    def broadcast_buffers(self, module: nn.Module) -> None:
        """Copy rank 0's buffers into the module: running statistics differ between processes, since their batches do."""
        kept = self.broadcast(lambda: [buffer.cpu() for buffer in module.buffers()])
        for buffer, value in zip(module.buffers(), kept, strict=True):
            buffer.copy_(value)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes."""
        return tensor if self.count == 1 else reduce(tensor, "sum")

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over the processes."""
        return tensor if self.count == 1 else reduce(tensor, "mean")

    def wait(self) -> None:
        """Wait until every process has called this."""
        if self.count > 1:
            self._exchange(distributed.barrier)

    def _exchange(self, collective, *arguments, **options):
        try:
            collective(*arguments, **options, group=self._group)
        except RuntimeError as error:  # of gloo, which has no class for either
            late = "imed out" in str(error)
            why = f"another did not come within {TIME_LIMIT}" if late else "another has ended; see its own message"
            raise RunError(f"process {self.rank} of {self.count} waited in vain for the others: {why}") from error


def _device_of_one_process(cpu, state):
    """accelerate remembers the device of the first run of a process, even if a later run requests another."""
    if cpu == (state.device.type == "cpu"):
        return state.device
    return torch.device("cpu" if cpu else os.environ.get("ACCELERATE_TORCH_DEVICE") or state.default_device)


@functools.cache
def _group(purpose):
    """Connections for one purpose, made once, by all processes in the same order."""
    return distributed.new_group(backend="gloo", timeout=TIME_LIMIT)


def _part():
    """Close the connections, and give their threads time to let go of the last tensors, for which each needs the GIL.

    Wrapped models keep the threads alive beyond this; a thread that requests the GIL while the interpreter shuts down aborts the
    process ("terminate called without an active exception").
    """
    PartialState().destroy_process_group()
    time.sleep(0.5)
