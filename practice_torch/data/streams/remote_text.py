"""Prepared text behind a URL: windows side by side, in an order that needs a few shards at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.permutation import uniforms
from practice_torch.data.shard_order import ShardOrder


@dataclass(frozen=True, eq=False)
class RemoteText:
    """Windows of context + 1 tokens, each of which begins at the last token of the one before.

    Of text on the disk, every position begins an example, so that an epoch reads each token context + 1 times; of a shard that is
    fetched once an epoch, each token is predicted once. The first window of a shard begins at a token 0..context-1 that the epoch
    draws. No window reaches over the end of a shard.
    """

    shards: Any  # streamed_text.Shards
    order: ShardOrder
    context: int
    seed: int
    vocabulary: Any
    description: dict
    varies = True  # by where windows begin

    def __len__(self):
        return len(self.order)

    @property
    def resident_bytes(self):
        """Bytes of the shards."""
        return sum(shard["bytes"] for shard in self.shards.prepared.manifest["shards"])

    def batch(self, indices, draws=None):
        """{"tokens": int64 [B, context + 1]}; draws decide the epoch, and so the first token; None: the first of the shard."""
        shards = np.searchsorted(self.order.firsts, indices.numpy(), "right") - 1
        within = indices.numpy() - self.order.firsts[shards]
        begins = np.concatenate([[0], self.shards.ends[:-1]]).astype(np.int64)[shards]
        starts = torch.from_numpy(begins + within * self.context)
        if draws is not None:
            starts += (uniforms(draws // len(self), 1, self.seed)[:, 0] * self.context).long()
        return {"tokens": self.shards.windows(starts, self.context + 1)}

    def ahead(self, numbers):
        """Fetch these shards, and let go of others."""
        self.shards.keep(numbers)
        self.shards.prepared.cache.ahead(numbers)

    def resident(self):
        """DataError: what is behind a URL is streamed."""
        raise DataError(f"{self.description['name']} is streamed from its URL: leave --placement out, or copy it to a disk")


def remote_text(shards, tokens, context, seed, vocabulary, description):
    """The training part, the first `tokens` tokens."""
    ends = np.minimum(shards.ends, tokens)
    counts = np.maximum(np.diff(ends, prepend=0) // context - 1, 0)
    if not (total := int(counts.sum())):
        longest = int(np.diff(ends, prepend=0).max())
        found = f"no shard has more than {longest} tokens to train on; each example takes up to {2 * context}"
        raise DataError(f"{description['name']}: {found}: copy the folder to a disk, or take a shorter context")
    order = ShardOrder(counts, shards.prepared.together())
    return RemoteText(shards, order, context, seed, vocabulary, description | {"count": total})
