"""The rows held out of a set behind a URL: all of their shards are fetched at the start, so they come from a few."""

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.permutation import permuted

SHARDS_HELD_OUT = 16  # that they are drawn from


def rows_of_few_shards(rows, hidden, seed, holds):
    """`hidden` rows of at most SHARDS_HELD_OUT shards, drawn by the seed: int64 [hidden], sorted.

    rows: ArrowRows. Raises DataError if the shards have no more rows than that; `holds` names them.
    """
    shards = len(rows.names)
    chosen = permuted(torch.arange(min(shards, SHARDS_HELD_OUT)), shards, f"{seed}/held out").tolist()
    among = np.concatenate([np.arange(rows.starts[shard], rows.starts[shard + 1]) for shard in chosen])
    if hidden >= len(among):
        found = f"{hidden} {holds} are to be held out, from {len(chosen)} shards with {len(among)} {holds}"
        raise DataError(f"{rows.prepared.folder}: {found}: lower --held-out")
    return torch.from_numpy(among)[permuted(torch.arange(hidden), len(among), seed)].sort().values
