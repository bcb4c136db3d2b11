"""The order of examples whose shards are fetched one by one: random, but with the examples of some shards at a time.

In an order that takes every example from any shard, a batch of 128 images needs 128 shards. Here an epoch permutes the shards,
takes them `together` at a time, and permutes the examples of those: what is needed soon is known, and each shard is fetched once
an epoch. Nothing is stored but a number for each shard, and a resumed run computes the same order (see permutation.py).
"""

from functools import lru_cache

import numpy as np
import torch

from practice_torch.data.permutation import permuted


class ShardOrder:
    """The order of the examples 0..N-1 that lie in shards with so many examples each."""

    def __init__(self, counts, together):
        self.counts, self.together = np.asarray(counts, np.int64), together
        self.firsts, self.key = np.cumsum(self.counts) - self.counts, self.counts.tobytes()

    def __len__(self):
        return int(self.counts.sum())

    def indices(self, places, epochs, seed):
        """The examples at these places of their epochs.

        int64 [B], int64 [B] -> int64 [B]
        """
        result = torch.empty_like(places)
        for epoch in epochs.unique().tolist():
            shards, starts = self._epoch(epoch, seed)
            chosen = (epochs == epoch).nonzero()[:, 0]
            groups = torch.from_numpy(self._groups(starts, places[chosen].numpy()))
            for group in groups.unique().tolist():
                part = chosen[groups == group]
                first, end = (int(starts[min(number * self.together, len(shards))]) for number in (group, group + 1))
                within = permuted(places[part] - first, end - first, f"{seed}/{epoch}/{group}").numpy() + first
                turn = np.searchsorted(starts, within, "right") - 1
                result[part] = torch.from_numpy(self.firsts[shards[turn]] + within - starts[turn])
        return result

    def upcoming(self, place, epoch, seed):
        """The shards that examples are taken from at a place of an epoch, and those that are next, also of the next epoch."""
        shards, starts = self._epoch(epoch, seed)
        first = int(self._groups(starts, np.array([place]))[0]) * self.together
        soon = shards[first : first + 2 * self.together].tolist()
        if first + self.together >= len(shards):
            soon += self._epoch(epoch + 1, seed)[0][: self.together].tolist()
        return [number for number in dict.fromkeys(soon) if self.counts[number]]

    def _epoch(self, epoch, seed):
        return _epoch(self.key, epoch, seed)

    def _groups(self, starts, places):
        return (np.searchsorted(starts, places, "right") - 1) // self.together


@lru_cache(maxsize=4)
def _epoch(counts, epoch, seed):
    """(the shards in their order [S], the place at which each begins, and the end [S + 1])."""
    counts = np.frombuffer(counts, np.int64)
    places = torch.arange(len(counts))
    shards = permuted(places, len(counts), f"{seed}/shards", torch.full_like(places, epoch)).numpy()
    return shards, np.cumsum([0, *counts[shards]])
