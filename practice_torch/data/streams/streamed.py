"""The engine's interface of a prepared set that stays on disk."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from practice_torch.data.shard_order import ShardOrder


@runtime_checkable
class Streamed(Protocol):
    """A data set that is read example by example, in the worker processes of a DataLoader.

    It must survive pickling and forking, as workers are started either way: what has a position in a file is opened at the first
    batch of each process. Every batch is a pure function of its arguments: a worker has no random numbers, no position and no
    other state.
    """

    description: Mapping[str, Any]  # can be written as JSON; "sha256" is the digest of the manifest
    resident_bytes: int  # size of the set as tensors on a device
    order: ShardOrder | None  # of a set behind a URL; then ahead(shards) fetches them, and it is never resident
    varies: bool  # whether `draws` change an example, as by random crops: a resident set, of fixed views, is then another one

    def __len__(self) -> int:
        """The number of examples."""

    def batch(self, indices: Tensor, draws: Tensor | None = None) -> dict[str, Tensor]:
        """The examples with these indices, on the CPU.

        draws: the place of each example in the stream of all examples of a training, so that the same example gets another
        random crop every time: random numbers are `permutation.uniforms(draws, ...)`. None: the fixed view (an image's center, a
        sound's beginning).
        int64 [B], int64 [B] -> name -> [B, ...]
        """

    def resident(self) -> Any:
        """The whole set in memory, in its fixed view: for equal indices, the batches that this one gives without draws."""
