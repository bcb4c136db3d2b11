"""Sources of randomness: seeds as a function of words, and batches as a function of their number."""

import hashlib

import torch

from practice_torch.engine.datasets import Data


def seed_of(seed: int, *words: object) -> int:
    """A seed derived from words: the same words give the same random numbers, different words independent ones."""
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes seeds below 2^63


class Batches:
    """Batch number 0, 1, 2, ... of a data set: (seed, number) alone decides what is in it, so a resumed run needs no position.

    The batches cut a stream of whole permutations, one per epoch: every example comes once an epoch, every batch has the same
    size (so shapes never change), and a batch may reach over an epoch's end. A data set smaller than a batch is the batch.

    Of `count` processes each takes every count-th batch, so that together they see what one process would, in as many batches.
    """

    AHEAD = 2**20  # bytes: gathering costs by the call, so small batches are gathered many at a time

    def __init__(self, data: Data, batch_size: int, seed: int, rank: int = 0, count: int = 1) -> None:
        self.data, self.size, self.seed = data, min(batch_size, len(data)), seed
        self.rank, self.count = rank, count
        self._orders, self._ready, self._first, self._together = {}, [], 0, 1

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        if not 0 <= number - self._first < len(self._ready):
            self._gather(number)
        return self._ready[number - self._first]

    def indices(self, number: int) -> torch.Tensor:
        """The examples of a batch, numbered over all processes."""
        epoch, first = divmod(number * self.size, len(self.data))
        missing = self.size
        parts = []
        while missing:
            parts.append(self._order(epoch)[first : first + missing])
            missing -= len(parts[-1])
            epoch, first = epoch + 1, 0
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _gather(self, number):
        numbers = ((number + i) * self.count + self.rank for i in range(self._together))
        several = self.data.batch(torch.cat([self.indices(n) for n in numbers]))
        parts = zip(*(tensor.split(self.size) for tensor in several.values()), strict=True)
        self._ready, self._first = [dict(zip(several, part, strict=True)) for part in parts], number
        one = sum(tensor.nbytes for tensor in self._ready[0].values())
        self._together = max(1, min(64, self.AHEAD // one))

    def _order(self, epoch):
        if epoch not in self._orders:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "order", epoch))
            self._orders = {old: order for old, order in self._orders.items() if old == epoch - 1}
            self._orders[epoch] = torch.randperm(len(self.data), generator=generator)
        return self._orders[epoch]
