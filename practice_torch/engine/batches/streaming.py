"""Batches of a data set that stays on the disk, read ahead of the training by worker processes.

A batch is a function of its number, as in memory (see draws.py): workers are given numbers, and what they read depends neither on
which of them reads it nor on how many there are. They draw no random numbers, so their seeds do not matter. A run that goes on
begins at the number it needs.
"""

import ctypes
import functools
import itertools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader

from practice_torch.data.errors import DataError
from practice_torch.data.streams.streamed import Streamed
from practice_torch.engine.batches.order import Order
from practice_torch.engine.errors import RunError

Numbers = Callable[[int], Iterator[int]]

AHEAD = 2  # batches that each worker has ready or is reading
DIE_WITH_THE_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Stream:
    """The batches of a streamed set in this order, on the device: the same as `Batches` would cut from it in memory.

    numbers: given a number, the numbers that are wanted from there on, in ascending order; no other batch is read. In another
    order, the workers start anew. workers = 0: the training's own process reads each batch when it is needed.
    """

    def __init__(
        self, data: Streamed, order: Order, device: torch.device, workers: int, numbers: Numbers = itertools.count
    ) -> None:
        self.data, self.order, self.device, self.workers, self.numbers = data, order, device, workers, numbers
        self._loading, self._coming, self._next = None, iter(()), 0

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        if self._loading is None or number != self._next:
            self._begin(number)
        batch = self._take()
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def close(self) -> None:
        """End the workers."""
        self._loading = None

    def _begin(self, number):
        self.close()
        self._coming, options = self.numbers(number), {}
        self._next = next(self._coming)
        if self._next != number:
            raise ValueError(f"batch {number} is not wanted: the next one is {self._next}")
        if self.workers:
            linux = sys.platform == "linux"  # elsewhere, forked processes are not safe
            options = {"prefetch_factor": AHEAD, "worker_init_fn": functools.partial(_in_worker, os.getpid())}
            options |= {"multiprocessing_context": "fork"} if linux else {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores: the recipe's choice
            loader = DataLoader(
                _Reader(self.data, self.order),
                sampler=self.numbers(number),
                batch_size=None,
                num_workers=self.workers,
                pin_memory=self.device.type == "cuda",
                generator=torch.Generator(),
                **options,
            )  # fmt: skip  (a separate generator: the default one also serves dropout)
            answer = signal.getsignal(signal.SIGCHLD)
            self._loading = iter(loader)
            signal.signal(signal.SIGCHLD, answer)  # torch's raises wherever the training is; a dead worker is noticed below

    def _take(self):
        try:
            batch = next(self._loading)
        except (RuntimeError, OSError, EOFError) as error:  # the others: a batch that its worker could not hand over any more
            if isinstance(error, RuntimeError) and not str(error).startswith("DataLoader worker"):
                raise
            self.close()
            name, mend = self.data.description["name"], f"lower --workers (now {self.workers}), and go on with --resume"
            raise RunError(f"a process that reads {name} was killed: if memory or /dev/shm is small, {mend}") from error
        if isinstance(batch, DataError):
            self.close()
            raise batch
        self._next = next(self._coming)
        return batch


class _Reader:
    """A worker's task: number of a batch -> its examples, or the DataError raised while reading them."""

    def __init__(self, data, order):
        self.data, self.order, self.soon = data, order, []

    def __getitem__(self, number):
        draws = self.order.draws(number)
        try:
            if self.order.shards is not None and (soon := self.order.upcoming(draws)) != self.soon:
                self.data.ahead(soon)
                self.soon = soon
            return self.data.batch(self.order.indices(draws), draws)
        except DataError as error:  # returned, since torch wraps raised errors in its own message and the worker's traceback
            return error
        except OSError as error:
            where = f"{self.data.description['name']} cannot be read"
            return DataError(f"{where} ({error.strerror or error}, {error.filename or 'batch ' + str(number)}): check the disk")


def _in_worker(parent, _number):
    """Workers end with the training, also if it is killed; a signal to the whole group is the training's to answer."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_THE_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
