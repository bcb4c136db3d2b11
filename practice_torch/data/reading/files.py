"""Opens the user's files: regular files only, no larger than memory, with names that a report can print."""

import stat
from contextlib import contextmanager

from practice_torch.data.errors import DataError
from practice_torch.data.reading.memory import require_memory

LONGEST_NAME = 255  # bytes, as on most file systems: previews are named after labels
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@contextmanager
def reading(path, smaller):
    """Turn errors of the system while reading below this path into a DataError; `smaller` is the advice if memory is short."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"{error.filename or path} cannot be read: {why}: make it readable, or leave it out") from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # torch's message
            raise
        raise DataError(f"{path} does not fit into memory ({' '.join(str(error).split())[:120]}): {smaller}") from None


def size_of(path):
    """Bytes in a regular file that is not empty. Nothing else is opened: reading a pipe or a device may never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise DataError(f"{path} is {kind}; it must be a regular file: copy the content into one, and name that")
    if status.st_size == 0:
        raise DataError(f"{path} is empty (0 bytes): write it again")
    return status.st_size


def read_bytes(path, smaller):
    """The content of a regular file that is not empty. `smaller` is the advice if it does not fit into memory."""
    require_memory(path, size_of(path), smaller)
    return path.read_bytes()


def require_name(name, what):
    """DataError if a name that the run folder will contain is not UTF-8 or too long: before the training, not after it."""
    name = str(name)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise DataError(f"{what} '{name:.200}' is not UTF-8, so a report cannot print it: rename it") from None
    if size > LONGEST_NAME:
        raise DataError(f"{what} '{name:.80}...' has {size} bytes; allowed are {LONGEST_NAME}: shorten it")
