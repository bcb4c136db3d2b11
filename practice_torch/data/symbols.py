"""Sequences of symbols: drawn at random, all of one length, or the user's own .npz of them."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.reading.npz import read_npz
from practice_torch.data.splits import existing_path, fingerprint, held_out_count, random_split

NAMES = ("random",)
KINDS = "an .npz file with an array 'symbols'"
MOST_SYMBOLS = 2**20
FORMS = f"random (drawn from the seed); or {KINDS}, [N, T], of integers from 0 to {MOST_SYMBOLS - 1}."
SMALLER = "use fewer or shorter sequences"


@dataclass(frozen=True, eq=False)
class Sequences:
    """A set of sequences [N, T] of the symbols 0..description["symbols"] - 1, int64."""

    sequences: torch.Tensor
    description: dict

    def __len__(self):
        return self.sequences.shape[0]

    def batch(self, indices=None):
        """{"symbols": int64 [B, T]}; all of them, without a copy, where indices is None."""
        sequences = self.sequences
        return {"symbols": sequences if indices is None else sequences.index_select(0, on_device_of(sequences, indices))}

    def to(self, device):
        """The same set on the device, so that batches are gathered there."""
        return replace(self, sequences=self.sequences.to(device))


def load(source, *, held_out=0.2, seed=0, count=4096, length=16, symbols=16):
    """(train, held-out) sequences: `count` of `length` independent, equally likely symbols ("random"), or all of a file's.

    File: .npz with an array symbols, [N, T], of integers >= 0; the largest determines the number of symbols.

    Raises DataError, one line, where the sequences cannot be used.
    """
    name = str(source)
    if name == "random":
        held_out_count(count, held_out, f"sequences of {name}")
        for what, value, least in (("length", length, 1), ("symbols", symbols, 2)):
            if value < least:
                raise DataError(f"{what} is {value}; it must be at least {least}")
        require_memory(f"{count} sequences of {length} symbols", 8 * count * length, SMALLER)
        sequences = torch.randint(symbols, (count, length), generator=torch.Generator().manual_seed(seed))
    else:
        sequences = _read(existing_path(source, NAMES, KINDS))
        symbols = int(sequences.max()) + 1
    length = sequences.shape[1]
    description = {"name": name, "shape": [length], "symbols": symbols, "classes": None, "sha256": fingerprint(sequences)}
    parts = random_split(len(sequences), held_out, seed, f"sequences in {name}", size=sequences.nbytes)
    return tuple(
        Sequences(sequences[indices], description | {"split": split, "count": len(indices)})
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _read(path):
    with reading(path, SMALLER):
        if path.is_dir():
            raise DataError(f"{path} is a folder; it must be {KINDS}: name the file")
        size_of(path)
        if path.suffix.lower() != ".npz":
            raise DataError(f"{path} is not an .npz file of symbols: convert it")
        found = read_npz(path, "symbols")["symbols"]
        if not np.issubdtype(found.dtype, np.integer):
            raise DataError(f"{path}: symbols has dtype {found.dtype}; it must hold integers: number the symbols from 0 on")
        if found.ndim != 2 or 0 in found.shape:
            raise DataError(f"{path}: symbols has shape {list(found.shape)}; it must be [N, T], a row per sequence")
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= MOST_SYMBOLS:
            allowed = f"0 to {MOST_SYMBOLS - 1}: number the symbols from 0 on"
            raise DataError(f"{path}: symbols has entries from {low} to {high}; allowed are {allowed}")
        require_memory(path, 8 * found.size, SMALLER)
        return torch.from_numpy(found.astype(np.int64))


def blank(name, facts, *, count=4096, length=16, symbols=16):
    """The training sequences without data: see blank.py."""
    known = {"shape": [length], "symbols": symbols, "count": count}
    return blank_set(name, known, facts, lambda count: {"symbols": torch.zeros(count, length, dtype=torch.int64)})
