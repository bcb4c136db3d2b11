"""Sums over a whole batch, of which every process has a part.

Gradients are averaged by the engine. What a step computes from a batch beyond its loss, such as moving averages, an experiment
adds up itself. The sums stay on the device, and the host does not wait for them.
"""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from accelerate.utils import broadcast
from torch import Tensor

if TYPE_CHECKING:
    from practice_torch.engine.distributed.processes import Processes


class WholeBatch:
    """The batch of a training step, seen from one process; without an argument, from a process that has all of it.

    All processes must call a method in the same order.
    """

    def __init__(
        self,
        processes: "Processes | None" = None,
        gather: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._processes, self._gather = processes, gather  # gather: of a sharded model
        self.rank, self.count = (processes.rank, processes.count) if processes else (0, 1)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in every process."""
        return tensor if self.count == 1 else self._processes.total(tensor)

    def of_first(self, tensor: Tensor) -> Tensor:
        """Rank 0's tensor, in every process."""
        return tensor if self.count == 1 else broadcast(tensor.clone())

    def of_previous(self, tensor: Tensor) -> Tensor:
        """The tensor of the process before this one, of the first that of the last; all have equal shapes."""
        parts = torch.zeros(self.count, *tensor.shape, dtype=tensor.dtype, device=tensor.device)
        parts[self.rank] = tensor
        return self.total(parts)[self.rank - 1]

    def gathered(self) -> contextlib.AbstractContextManager[None]:
        """Inside, every process holds all weights, also of a sharded model, and calls networks without the other processes.

        For drawing within `forward`: each process may take another number of steps.
        """
        return self._gather()
