"""Shared by all modalities: names of sources, the split into training and held-out data, and checksums."""

import difflib
import hashlib
from pathlib import Path

import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import require_name
from practice_torch.data.reading.memory import require_memory


def existing_path(source, names, kinds):
    """The path of the source; names are the embedded sets (for a hint), kinds describes the allowed paths."""
    name = str(source)
    allowed = f"it must be one of {', '.join(names)}, or {kinds}" if names else f"it must be {kinds}"
    try:
        path = Path(source).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"data {name!r:.200} does not exist; {allowed}{hint}") from None
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, links in a circle, a folder that may not be entered
        why = getattr(error, "strerror", None) or error
        raise DataError(f"data {name!r:.200} is not a usable path ({why}); {allowed}") from None
    if not name:  # which is the working folder to pathlib
        raise DataError(f"data is empty; {allowed}")
    for part in path.parts:
        require_name(part, f"in data '{name:.200}', the name")
    return path


def held_out_count(count, held_out, unit):
    """The number of held-out examples: nearest to the fraction, with at least one example on either side."""
    if not 0 < held_out < 1:
        raise DataError(f"held_out is {held_out}; it must be a fraction strictly between 0 and 1, such as 0.2")
    if count < 2:
        raise DataError(f"{unit}: {count} found; at least 2 are needed, one to train on and one held out: add more")
    return min(max(round(count * held_out), 1), count - 1)


def random_split(count, held_out, seed, unit, size=0):
    """Two disjoint index tensors, sorted, that cover 0..count-1: the same for the same count, fraction and seed.

    size: bytes that the caller is going to copy by them.
    """
    hidden = held_out_count(count, held_out, unit)
    require_memory(f"splitting {unit}", size, "use fewer or smaller ones")
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
