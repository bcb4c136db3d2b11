"""Sums over a whole batch, of which every process has a part.

Gradients are averaged by the engine. What a step computes from a batch beyond its loss, such as moving averages, an experiment
adds up itself. The sums stay on the device, and the host does not wait for them.
"""

from typing import TYPE_CHECKING

from accelerate.utils import broadcast
from torch import Tensor

if TYPE_CHECKING:
    from practice_torch.engine.distributed.processes import Processes


class WholeBatch:
    """The batch of a training step, seen from one process; without an argument, from a process that has all of it.

    All processes must call a method in the same order.
    """

    def __init__(self, processes: "Processes | None" = None) -> None:
        self._processes = processes
        self.rank, self.count = (processes.rank, processes.count) if processes else (0, 1)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in every process."""
        return tensor if self.count == 1 else self._processes.total(tensor)

    def of_first(self, tensor: Tensor) -> Tensor:
        """Rank 0's tensor, in every process."""
        return tensor if self.count == 1 else broadcast(tensor.clone())
