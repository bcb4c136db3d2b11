"""Messages between `grade` and the process that runs an untrusted file: a JSON header, then raw arrays. Nothing is unpickled.

What comes from that process is not trusted: every length is checked before anything of that length is read or allocated.
"""

import json
import struct
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8",
          "bool", "complex64", "complex128")  # fmt: skip
LARGEST = 64 * 2**20  # bytes of all arrays in one message: far above any answer, far below harm
LARGEST_HEADER = 2**20
MOST_AXES = 32


class Broken(Exception):
    """The other process has ended, or sent something that is not a message."""


def send(write: Callable[[bytes], Any], header: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """write(bytes) gets the length of the header, the header, and the arrays' bytes."""
    arrays = [np.ascontiguousarray(array).reshape(np.shape(array)) for array in arrays]
    header = header | {"arrays": [{"dtype": str(a.dtype), "shape": list(a.shape)} for a in arrays]}
    encoded = json.dumps(header).encode()
    write(struct.pack("<Q", len(encoded)) + encoded + b"".join(a.tobytes() for a in arrays))


def receive(read: Callable[[int], bytes]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """read(count) gives exactly count bytes or raises. Returns the header and the arrays.  Raises Broken for anything else."""
    (length,) = struct.unpack("<Q", read(8))
    if length > LARGEST_HEADER:
        raise Broken(f"a header of {length} bytes; at most {LARGEST_HEADER} are read")
    try:
        header = json.loads(read(length))
        forms = [_form(entry) for entry in header["arrays"]]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise Broken("an answer that is no message") from error
    if sum(size for _, _, size in forms) > LARGEST:
        raise Broken(f"arrays of more than {LARGEST} bytes")
    return header, [np.frombuffer(read(size), dtype=dtype).reshape(shape).copy() for dtype, shape, size in forms]


def _form(entry):
    """(dtype, shape, bytes) of one array, as the header describes it."""
    dtype, shape = entry["dtype"], entry["shape"]
    if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > MOST_AXES:
        raise Broken(f"an array of {str(dtype)[:40]} {str(shape)[:80]}")
    if not all(type(n) is int and 0 <= n <= LARGEST for n in shape):
        raise Broken(f"an array of shape {str(shape)[:80]}")
    return dtype, tuple(shape), prod(shape) * np.dtype(dtype).itemsize
