"""The order of examples whose shards are fetched one by one: random, but with the examples of some shards at a time.

In an order that takes every example from any shard, a batch of 128 images needs 128 shards. Here an epoch permutes the shards,
takes them `together` at a time, and permutes the examples of those: what is needed soon is known, and each shard is fetched once
an epoch. Nothing is stored but a number for each shard, and a resumed run computes the same order (see permutation.py).

In `parts`, every part of a batch has shards of its own: the line of an epoch's examples, shard after shard, is cut into as many
equal pieces, and the k-th part of each batch goes through the k-th piece. A piece needs 1/parts of the shards, and one more where
a cut is within a shard. Which process computes which part of a batch plays no role, so that the order does not depend on them.
"""

from functools import lru_cache

import numpy as np
import torch

from practice_torch.data.permutation import permuted


class ShardOrder:
    """The order of the examples 0..N-1 that lie in shards with so many examples each, of which `together` are mixed.

    cuts: the places of an epoch at which the pieces of the parts begin, and the end [parts + 1].
    """

    def __init__(self, counts, together, parts=1):
        self.counts, self.together = np.asarray(counts, np.int64), together
        self.firsts, self.key = np.cumsum(self.counts) - self.counts, self.counts.tobytes()
        self.cuts = np.arange(parts + 1) * len(self) // parts

    def __len__(self):
        return int(self.counts.sum())

    def in_parts(self, parts):
        """The order in which each of these parts of a batch has its own shards; about as many are mixed as without parts."""
        return ShardOrder(self.counts, max(1, self.together // parts), parts)

    def draws(self, places, batch):
        """epoch * N + place, of examples with these places in the stream of all batches, each of `batch` examples.

        Without parts these are the places themselves. Pieces whose sizes differ begin an epoch at slightly different times.

        int64 [B] -> int64 [B]
        """
        share = batch // (len(self.cuts) - 1)
        parts, within = places % batch // share, places // batch * share + places % share
        firsts, sizes = torch.from_numpy(self.cuts)[parts], torch.from_numpy(np.diff(self.cuts))[parts]
        return within // sizes * len(self) + firsts + within % sizes

    def indices(self, places, epochs, seed):
        """The examples at these places of their epochs.

        int64 [B], int64 [B] -> int64 [B]
        """
        result = torch.empty_like(places)
        for epoch in epochs.unique().tolist():
            shards, starts, edges = self._epoch(epoch, seed)
            chosen = (epochs == epoch).nonzero()[:, 0]
            groups = torch.from_numpy(_last(edges, places[chosen].numpy()))
            for group in groups.unique().tolist():
                part = chosen[groups == group]
                first, end = int(edges[group]), int(edges[group + 1])
                within = permuted(places[part] - first, end - first, f"{seed}/{epoch}/{group}").numpy() + first
                turn = _last(starts, within)
                result[part] = torch.from_numpy(self.firsts[shards[turn]] + within - starts[turn])
        return result

    def upcoming(self, places, epochs, seed):
        """The shards that each part takes examples from at the first of its places, and then those that are next.

        int64 [B], int64 [B] -> a list of numbers
        """
        parts, first = np.unique(_last(self.cuts, places.numpy()), return_index=True)
        now, later = [], []
        for part, place, epoch in zip(parts.tolist(), places[first].tolist(), epochs[first].tolist(), strict=True):
            shards, end = self._group(place, epoch, seed)
            now += shards
            later += (
                self._group(end, epoch, seed)[0]
                if end < self.cuts[part + 1]
                else self._group(self.cuts[part], epoch + 1, seed)[0]
            )
        return list(dict.fromkeys(now + later))

    def _group(self, place, epoch, seed):
        """(the shards that are mixed at a place of an epoch, the place at which others follow)."""
        shards, starts, edges = self._epoch(epoch, seed)
        first, end = edges[(group := int(_last(edges, place))) : group + 2]
        between = shards[_last(starts, first) : int(np.searchsorted(starts, end, "left"))]
        return between[self.counts[between] > 0].tolist(), int(end)

    def _epoch(self, epoch, seed):
        return _epoch(self.key, self.together, self.cuts.tobytes(), epoch, seed)


@lru_cache(maxsize=4)
def _epoch(counts, together, cuts, epoch, seed):
    """(the shards in their order [S], the place at which each begins, the same of what is mixed; both with the end)."""
    counts, cuts = (np.frombuffer(each, np.int64) for each in (counts, cuts))
    places = torch.arange(len(counts))
    shards = permuted(places, len(counts), f"{seed}/shards", torch.full_like(places, epoch)).numpy()
    starts = np.cumsum([0, *counts[shards]])
    return shards, starts, np.sort(np.concatenate([starts[:-1:together], cuts[1:]]))


def _last(begins, places):
    """The last of what begins at or before each place."""
    return np.searchsorted(begins, places, "right") - 1
