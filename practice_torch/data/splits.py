"""What every modality shares: how a source is named, parted into train and held-out, and identified by its bytes."""

import difflib
import hashlib
from pathlib import Path

import torch

from practice_torch.data.errors import DataError


def existing_path(source, names, kinds):
    """The path that source names; names are the built-in sets (for the hint), kinds says what a path may be."""
    path = Path(source).expanduser()
    try:
        found = path.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        allowed = f"one of {', '.join(names)}, or {kinds}"
        raise DataError(f"data {str(source)!r:.80} is no usable path ({error.strerror}); it must be {allowed}") from None
    if found:
        return path
    near = difflib.get_close_matches(str(source).lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise DataError(f"data {str(source)!r} does not exist; it must be one of {', '.join(names)}, or {kinds}{hint}")


def held_out_count(count, held_out, unit):
    """How many of count examples are held out: the nearest to the fraction that leaves one on either side."""
    if not 0 < held_out < 1:
        raise DataError(f"held_out is {held_out}; it must be a fraction strictly between 0 and 1, such as 0.2")
    if count < 2:
        raise DataError(f"{unit}: {count} found; at least 2 are needed, one to train on and one held out: add more")
    return min(max(round(count * held_out), 1), count - 1)


def random_split(count, held_out, seed, unit):
    """Two disjoint index tensors, sorted, that cover 0..count-1: the same for the same count, fraction and seed."""
    hidden = held_out_count(count, held_out, unit)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[hidden:].sort().values, order[:hidden].sort().values


def fingerprint(*arrays):
    """SHA-256 over the dtype, shape and bytes of tensors (None is skipped), or over bytes as they are."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            continue
        if isinstance(array, bytes):
            digest.update(array)
            continue
        digest.update(f"{array.dtype} {list(array.shape)}".encode())
        digest.update(array.contiguous().numpy().data)
    return digest.hexdigest()
