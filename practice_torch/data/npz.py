"""Arrays by name from an .npz file: plain numbers only, nothing is ever unpickled."""

import zipfile

import numpy as np

from practice_torch.data.errors import DataError


def read_npz(path, required, *optional):
    """The arrays of these names in the archive, as a dict; the first must be there."""
    example = f"np.savez(file, {required}=array)"
    try:
        # Not np.load: given a broken archive, its destructor writes a second, unrelated complaint to the terminal.
        with zipfile.ZipFile(path) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist()]
            arrays = {name: _read_array(archive, name) for name in (required, *optional) if name in found}
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for one and the same trouble
        if "allow_pickle" in str(error):
            raise DataError(f"{path} holds pickled objects, which could run code; allowed are plain numbers: {example}") from None
        why = " ".join(str(error).split())[:160]
        raise DataError(f"{path} is no .npz archive, or is damaged ({why}): write it again with {example}") from None
    if required not in arrays:
        raise DataError(f"{path} has no array '{required}' (found: {', '.join(found) or 'nothing'}): save it as {example}")
    return arrays


def _read_array(archive, name):
    with archive.open(name + ".npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)
