"""A recording as bytes: a line of JSON that says what is where, and the arrays; compressed, and the same bytes every time."""

import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np

from shared_specs.checking.recorded import NotRecorded, Recording

FOLDER = Path(__file__).with_name("answers")  # <family>/<topic>.xz
FORMAT = 1
DTYPES = ("<f8", "<i8", "<i4", "|u1", "|b1")


def path_of(topic: str) -> Path:
    """The file of a topic's recording."""
    return FOLDER / f"{topic}.xz"


def pack(recording: Recording, sources: str) -> bytes:
    """A recording as the content of its file. sources: the digest of what it was computed from."""
    entries, parts = [], []
    for (place, what), found in recording.items():
        if isinstance(found, float):
            entries.append([place, what, found])
            continue
        arrays = [np.asarray(array) for array in found]
        entries.append([place, what, [[DTYPES.index(_dtype(array)), list(array.shape)] for array in arrays]])
        parts += [array.astype(_dtype(array)).tobytes() for array in arrays]
    header = json.dumps({"format": FORMAT, "sources": sources, "entries": entries}, separators=(",", ":"))
    return lzma.compress(header.encode() + b"\n" + b"".join(parts), format=lzma.FORMAT_XZ, preset=9)


def _dtype(array):
    return array.dtype.newbyteorder("<").str


def unpack(content: bytes) -> tuple[Recording, str]:
    """The inverse of pack.  Raises ValueError for what is no recording, or one of another format."""
    try:
        header, _, data = lzma.decompress(content).partition(b"\n")
        said = json.loads(header)
    except (lzma.LZMAError, ValueError, EOFError) as error:
        raise ValueError(f"no recording: {error}") from None
    if said["format"] != FORMAT:
        raise ValueError(f"a recording of format {said['format']}; this version reads format {FORMAT}")
    recording, at = {}, 0
    for place, what, found in said["entries"]:
        if isinstance(found, list):
            arrays = []
            for dtype, shape in found:
                arrays.append(np.frombuffer(data, DTYPES[dtype], int(np.prod(shape)), at).reshape(shape))
                at += arrays[-1].nbytes
            found = arrays
        recording[place, what] = found
    return recording, said["sources"]


@cache
def recording_of(topic: str) -> Recording:
    """What was recorded of a topic.  Raises NotRecorded."""
    try:
        return unpack(path_of(topic).read_bytes())[0]
    except FileNotFoundError:
        raise NotRecorded(f"{topic}: nothing is recorded of it; judge it with the full installation") from None
    except (OSError, ValueError) as error:
        raise NotRecorded(f"{topic}: {path_of(topic)} cannot be read: {error}; reinstall Diptych") from None
