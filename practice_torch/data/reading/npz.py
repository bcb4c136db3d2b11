"""Arrays by name from an .npz file: plain numbers only, nothing is ever unpickled."""

import math
import zipfile

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.reading.memory import require_expansion, require_memory

MOST_LISTED = 5
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path, required, *optional):
    """The arrays of these names in the archive, as a dict; the first is required."""
    example = f"np.savez(file, {required}=array)"
    try:
        # Not np.load: given a broken archive, its destructor writes a second, unrelated complaint to the terminal.
        with zipfile.ZipFile(path) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist()]
            members = {name: archive.getinfo(name + ".npy") for name in (required, *optional) if name in found}
            total = sum(member.file_size for member in members.values())
            require_expansion(path, path.stat().st_size, total, "if intended, save it with np.savez, which does not compress")
            require_memory(path, total, "use fewer or smaller examples")
            arrays = {name: _read_array(archive, path, member) for name, member in members.items()}
    except (DataError, PermissionError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for one and the same trouble
        why = " ".join(str(error).split())[:160]
        raise DataError(f"{path} is not an .npz archive, or is damaged ({why}): write it again with {example}") from None
    if required not in arrays:
        others = ", ".join(found[:MOST_LISTED]) + (", ..." if len(found) > MOST_LISTED else "")
        raise DataError(f"{path} has no array '{required}' (found: {others or 'nothing'}): save it as {example}")
    return arrays


def _read_array(archive, path, member):
    """The array of one member, after a check of its header against its size: numpy would allocate what the header declares."""
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{name} has format {version[0]}.{version[1]}; plain numbers have 1.0 or 2.0")
        shape, _, dtype = HEADERS[version](file)
        if dtype.hasobject:
            example = f"np.savez(file, {name}=array)"
            raise DataError(f"{path}: {name} holds pickled objects, which could run code; allowed are plain numbers: {example}")
        claimed, there = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
        if dtype.itemsize == 0 or claimed != there:
            raise ValueError(f"the header of {name} declares {list(shape)} of {dtype}, {claimed} bytes; there are {there}")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
