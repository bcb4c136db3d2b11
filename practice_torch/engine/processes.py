"""Several processes that train one model: the rank of each, what they share, and when they wait for each other.

accelerate's launcher starts them and passes their ranks in the environment. Without it there is one process, at no cost.
"""

import atexit
import time
from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, reduce
from torch import Tensor

from practice_torch.engine.errors import RunError

T = TypeVar("T")


class Processes:
    """The processes of a run. Rank 0 writes; all processes train."""

    def __init__(self, cpu: bool = False) -> None:
        state = PartialState(cpu=cpu)
        self.rank, self.count, self.device = state.process_index, state.num_processes, state.device
        self.first_here = state.local_process_index == 0
        self._wait = state.wait_for_everyone
        if self.count > 1:
            atexit.unregister(_part)
            atexit.register(_part)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def of_the_first(self, make: Callable[[], T]) -> T:
        """Call make() on rank 0 and return its result, or raise its RunError, in every process."""
        if self.count == 1:
            return make()
        answer = [None, None]
        if self.first:
            try:
                answer = [make(), None]
            except RunError as error:
                answer = [None, str(error)]
        value, complaint = broadcast_object_list(answer)
        if complaint is not None:
            raise RunError(complaint)
        return value

    def in_turn(self, make: Callable[[], T]) -> T:
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
            if complaints := [complaint for complaint in self.from_all(error and str(error)) if complaint is not None]:
                raise error or RunError(complaints[0])
        return made

    def from_all(self, value: T) -> list[T]:
        """The values of all processes as a list by rank, in every process."""
        return [value] if self.count == 1 else gather_object([value])

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes."""
        return tensor if self.count == 1 else reduce(tensor, "sum")

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over the processes."""
        return tensor if self.count == 1 else reduce(tensor, "mean")

    def wait(self) -> None:
        """Wait until every process has called this."""
        if self.count > 1:
            self._wait()


def _part():
    """Close the connections, and give their threads time to let go of the last tensors, for which each needs the GIL.

    Models that were wrapped keep the threads alive beyond this; one that asks for the GIL of an interpreter at its end aborts the
    process ("terminate called without an active exception").
    """
    PartialState().destroy_process_group()
    time.sleep(0.5)
