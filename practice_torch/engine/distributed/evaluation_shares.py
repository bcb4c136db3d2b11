"""Evaluations and previews shared among processes.

All processes evaluate the same code with the same random numbers, except inside `rows`, where each draws its rows with its
own generator. A single process computes everything, and draws the same numbers as without this module.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from practice_torch.engine.errors import RunError

if TYPE_CHECKING:
    from practice_torch.engine.distributed.processes import Processes


class ElsewhereError(RunError):
    """Another process has failed, or has ended: the others know."""


class _Sent(NamedTuple):
    """A tensor on its way: a process cannot receive into another's device."""

    tensor: Tensor  # in host memory
    of_device: bool


class Shares:
    """The part of one process; without arguments, of a process that is alone.

    own: the generator of this process; None on rank 0, which draws from the experiment's.
    """

    def __init__(
        self, experiment: nn.Module | None = None, processes: "Processes | None" = None, own: torch.Generator | None = None
    ) -> None:
        self._experiment, self._processes, self._own = experiment, processes, own
        self.rank, self.count = (processes.rank, processes.count) if processes else (0, 1)

    def takes(self, number: int) -> bool:
        """Whether this process computes batch `number` of a loop. Every process draws the random numbers of all batches."""
        return number % self.count == self.rank

    def together(self, parts: Sequence[Any]) -> list[Any]:
        """The items of all processes, by rank: tensors on the device where they were, or numbers."""
        if self.count == 1:
            return list(parts)
        return [self._here(part) for some in agreed(self._processes, [_on_host(part) for part in parts]) for part in some]

    def rows(self, draw: Callable[..., Tensor], *columns: Tensor) -> Tensor:
        """draw(*columns), of columns with as many rows as it gives; each process draws every count-th row."""
        if self.count == 1:
            return draw(*columns)
        mine = [column[self.rank :: self.count] for column in columns]
        common = self._experiment.generator
        self._experiment.generator = self._own or common
        try:
            part = draw(*mine) if len(mine[0]) else None
        finally:
            self._experiment.generator = common
        if part is not None and len(part) != len(mine[0]):
            raise ValueError(f"{len(mine[0])} rows were drawn as {len(part)}")
        answers = agreed(self._processes, (_on_host(part), common.get_state() if self.rank == 0 else None))
        common.set_state(answers[0][1])  # what all draw from here on is what rank 0 draws
        parts = [self._here(part) for part, _ in answers if part is not None]
        whole = parts[0].new_empty(len(columns[0]), *parts[0].shape[1:])
        for rank, rows in enumerate(parts):  # where there are fewer rows than processes, the last ones have none
            whole[rank :: self.count] = rows
        return whole

    def _here(self, part):
        """The sent value; tensors of a device are moved to this process's device."""
        if not isinstance(part, _Sent):
            return part
        return part.tensor.to(self._processes.device) if part.of_device else part.tensor


ALONE = Shares()


def agreed(processes: "Processes", value: Any = None, complaint: str | None = None) -> list[Any]:
    """The values of all processes, by rank. ElsewhereError where one of them complains, or is no longer there."""
    try:
        answers = processes.all_gather((value, complaint))
    except RunError as error:
        raise ElsewhereError(str(error)) from error
    for _, found in answers:
        if found is not None:
            raise ElsewhereError(found)
    return [value for value, _ in answers]


def _on_host(part):
    return _Sent(part.detach().cpu(), part.device.type != "cpu") if isinstance(part, Tensor) else part
