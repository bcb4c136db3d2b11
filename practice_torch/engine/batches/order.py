"""Sources of randomness: seeds as a function of words, and batches as a function of their number."""

import hashlib

import torch

from practice_torch.data.permutation import permuted
from practice_torch.data.shard_order import ShardOrder
from practice_torch.data.streams.streamed import Streamed
from practice_torch.engine.batches.data import Data
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.recipe import Recipe


def seed_of(seed: int, *words: object) -> int:
    """A seed derived from words: the same words give the same random numbers, different words independent ones."""
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes seeds below 2^63


def share_of(batch: int, processes: int) -> int:
    """The examples that each process takes of a batch. RunError unless the shares are equal."""
    if batch % processes:
        mend = f"set --batch-size to a multiple of {processes}"
        raise RunError(f"a batch of {batch} examples cannot be split evenly over {processes} processes; {mend}")
    return batch // processes


class Order:
    """Which examples are in batch 0, 1, 2, ...: the seed and the number decide, so a resumed run needs no position.

    The batches cut a stream of whole permutations, one per epoch: every example comes once an epoch, every batch has the same
    size (so shapes never change), and a batch may reach over an epoch's end. A data set smaller than a batch is the batch. The
    permutations are computed where they are needed (see permutation.py): nothing grows with the number of examples. `shards` is
    the order of a set whose shards are fetched one by one (see shard_order.py).

    Each of `count` processes takes every count-th batch: together they see the batches of a single process.

    Raises RunError if the batch of all processes cannot be split evenly into the parts of `shards`.
    """

    def __init__(
        self, examples: int, batch_size: int, seed: int, rank: int = 0, count: int = 1, shards: ShardOrder | None = None
    ) -> None:
        self.examples, self.size, self.seed = examples, min(batch_size, examples), seed_of(seed, "order")
        self.rank, self.count, self.shards = rank, count, shards
        if shards is not None and (whole := self.size * count) % (parts := len(shards.cuts) - 1):
            mend = f"set --data-parts to a divisor of {whole}"
            raise RunError(f"a batch of {whole} examples cannot be split evenly into {parts} data parts; {mend}")

    def first(self, number: int) -> int:
        """The place of a batch's first example in the stream; the others follow."""
        return (number * self.count + self.rank) * self.size

    def draws(self, number: int, together: int = 1, device: torch.device | None = None) -> torch.Tensor:
        """The places in the stream of the examples of `together` batches, the first of this number: [together * size].

        Of `shards` in parts, it is a number as unique, and the epoch and the place in it decide all the same. device: where they
        are made, so that no copy waits for it; those of parts are made on the CPU, where the order of the shards is.
        """
        made_on = device if self.shards is None else None
        firsts = torch.arange(self.first(number), self.first(number + together), self.count * self.size, device=made_on)
        places = (firsts[:, None] + torch.arange(self.size, device=made_on)).flatten()
        return places if self.shards is None else self.shards.draws(places, self.count * self.size).to(device or places.device)

    def indices(self, draws: torch.Tensor) -> torch.Tensor:
        """The examples at these places of the stream."""
        if self.shards is not None:
            return self.shards.indices(draws % self.examples, draws // self.examples, self.seed)
        return permuted(draws % self.examples, self.examples, self.seed, draws // self.examples)

    def upcoming(self, draws: torch.Tensor) -> list[int]:
        """The shards that are needed at these places, and those that are next, of a set that has an order of shards."""
        return self.shards.upcoming(draws % self.examples, draws // self.examples, self.seed)


def shards_of(data: Data | Streamed, recipe: Recipe) -> ShardOrder | None:
    """The order of the shards of a set behind a URL, in the recipe's parts; None of another set, which has no such parts.

    OptionError if the recipe has parts all the same.
    """
    if isinstance(data, Streamed) and data.order is not None:
        return data.order.in_parts(recipe.data_parts) if recipe.data_parts > 1 else data.order
    if (recipe.data_parts or 1) > 1:
        name = data.description.get("name", "this set")
        raise OptionError(f"data_parts is {recipe.data_parts}, but {name} is not read from a URL: leave --data-parts out")
    return None


def first_batch(data: Data | Streamed, recipe: Recipe) -> dict[str, torch.Tensor]:
    """The examples of a training's first batch, those of all processes, before augmentation."""
    order = Order(len(data), recipe.batch_size, recipe.seed, shards=shards_of(data, recipe))
    draws = order.draws(0)
    indices = order.indices(draws)
    return data.batch(indices, draws) if isinstance(data, Streamed) else data.batch(indices)


class Repeated:
    """The same batch under every number: an empty one, of a recipe without data."""

    def __init__(self, batch: dict[str, torch.Tensor]) -> None:
        self.batch = batch

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return self.batch

    def close(self) -> None:
        """Let go of the batch."""
        self.batch = {}


class Batches:
    """The batches of a data set in memory, in this order."""

    AHEAD = 2**20  # bytes: gathering costs by the call, so small batches are gathered many at a time
    ORDERED = 2**13  # examples: below about this number a call costs as much as the order

    def __init__(self, data: Data, batch_size: int, seed: int, rank: int = 0, count: int = 1) -> None:
        self.data, self.order = data, Order(len(data), batch_size, seed, rank, count)
        self._ordered, self._first_ordered = [], 0
        self._ready, self._first, self._together = [], 0, 1

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        if not 0 <= number - self._first < len(self._ready):
            self._gather(number)
        return self._ready[number - self._first]

    def close(self) -> None:
        """Release the gathered batches."""
        self._ready = []

    def indices(self, number: int) -> torch.Tensor:
        """The examples of a batch."""
        size = self.order.size
        if not 0 <= (number - self._first_ordered) * size < len(self._ordered):
            together = max(1, self.ORDERED // size)
            self._ordered, self._first_ordered = self.order.indices(self.order.draws(number, together)), number
        start = (number - self._first_ordered) * size
        return self._ordered[start : start + size]

    def _gather(self, number):
        several = self.data.batch(torch.cat([self.indices(number + i) for i in range(self._together)]))
        parts = zip(*(tensor.split(self.order.size) for tensor in several.values()), strict=True)
        self._ready, self._first = [dict(zip(several, part, strict=True)) for part in parts], number
        one = sum(tensor.nbytes for tensor in self._ready[0].values())
        self._together = max(1, min(64, self.AHEAD // one))
