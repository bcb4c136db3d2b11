"""Copies of remote shards on the local disk: a folder of bounded size, which the least recently used leave first.

All processes of a machine share the folder $DIPTYCH_CACHE/shards (default ~/.cache/diptych/shards) of at most $DIPTYCH_CACHE_GB
gigabytes (default 64); a copy has the name of its checksum. One process fetches a shard, into a file that it holds a lock of; the
others wait for the lock. A shard in use is locked, shared, and stays. Locks of the system end with their process: one that is
killed leaves nothing that is locked.
"""

import contextlib
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor

from practice_torch.data.errors import DataError
from practice_torch.data.reading.cache_folder import VARIABLE, cache_folder
from practice_torch.data.reading.memory import amount
from practice_torch.data.remote.store import fetch

GIGABYTES = "DIPTYCH_CACHE_GB"
DEFAULT = 64
AT_ONCE = 4  # shards that a process fetches at the same time
ASIDE = ".fetching-"
LOCK = ".lock"


class FullError(DataError):
    """There is no room for a shard: those that are there are in use."""


class Cache:
    """The folder, for one prepared folder's shards: (url, bytes, sha256) of each."""

    def __init__(self, shards):
        self.shards, self.folder, self.most = shards, _folder(), _most()
        self.threads = self.process = None

    def __getstate__(self):
        return vars(self) | {"threads": None, "process": None}

    def require_room(self, needed):
        """DataError if the folder may not hold this many bytes."""
        if needed > self.most:
            found = f"{GIGABYTES} allows {amount(self.most)}; the shards that are read at the same time take {amount(needed)}"
            raise DataError(f"{found}: raise {GIGABYTES}, the size in gigabytes of {self.folder}")

    def held(self, number):
        """(path of the copy of a shard, an open file): the copy stays as long as the file is open."""
        url, size, sha256 = self.shards[number]
        path = self.folder / sha256
        with _on_the_disk(self.folder):
            while True:
                with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
                    file = stack.enter_context(open(path, "rb"))
                    fcntl.flock(file, fcntl.LOCK_SH)
                    if _is(file, path):  # it was not removed in between
                        os.utime(path)
                        stack.pop_all()
                        return path, file
                self._fetch(url, size, sha256)

    def ahead(self, numbers):
        """Begin to fetch shards, in threads; those that are there are left alone."""
        if self.process != os.getpid():  # a fork has no threads
            self.threads, self.process = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetching"), os.getpid()
        turn = os.getpid() % max(1, len(numbers))  # workers begin with different ones
        for number in (*numbers[turn:], *numbers[:turn]):
            self.threads.submit(self._try, number)

    def _try(self, number):
        url, size, sha256 = self.shards[number]
        with contextlib.suppress(DataError):  # the process that needs the shard will report it
            if not (self.folder / sha256).exists():
                self._fetch(url, size, sha256)

    def _fetch(self, url, size, sha256):
        """Copy a shard into the folder, or wait until another process or thread has."""
        path, aside = self.folder / sha256, self.folder / f"{ASIDE}{sha256}"
        with _on_the_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            while not path.exists():
                reserved = self._reserved(aside, path, size)
                if reserved is None:
                    return
                file, is_own = reserved
                with file:
                    if not (is_own or _taken_over(file, path)) or path.exists() or not _is(file, aside):
                        continue
                    try:
                        fetch(url, file, size, sha256)
                        aside.rename(path)
                    except BaseException:
                        aside.unlink(missing_ok=True)
                        raise

    def _reserved(self, aside, path, size):
        """(the file that a shard is written to, whether this process made it and has its lock); None if the shard is there.

        It has the shard's size from the beginning, so that this room is taken. A whole shard goes from aside to path without the
        folder's lock: it is looked for in this order, in which it is always seen.
        """
        with open(self.folder / LOCK, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                return open(aside, "r+b"), False
            if path.exists():
                return None
            self._make_room(size)
            file = open(aside, "w+b")  # noqa: SIM115 - the caller's
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(size)
            return file, True

    def _make_room(self, size):
        found = []
        for entry in os.scandir(self.folder):
            if entry.name == LOCK:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat()
                found.append((status.st_mtime_ns, status.st_size, entry.path))
        there = sum(taken for _, taken, _ in found)
        for _, taken, path in sorted(found):
            if there + size <= self.most:
                return
            with contextlib.suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
                there -= taken
        if there + size > self.most:
            found = f"{self.folder} holds {amount(there)} of shards in use, and may hold {amount(self.most)}"
            raise FullError(f"{found}: raise {GIGABYTES}, or let fewer trainings share it")


def _taken_over(file, path):
    """Wait for the process that writes a file; whether that was killed, and this one has its lock now."""
    fcntl.flock(file, fcntl.LOCK_SH)  # shared: once it is whole, it may be in use for hours
    if path.exists():
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:  # several wait
        time.sleep(0.05)
        return False


def _is(file, path):
    """Whether an open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _folder():
    return cache_folder() / "shards"


def _most():
    text = os.environ.get(GIGABYTES, str(DEFAULT))
    try:
        most = float(text)
    except ValueError:
        most = 0.0
    if not 0 < most < 10**9:
        raise DataError(f"{GIGABYTES} is {text!r:.40}; it must be a number of gigabytes above 0")
    return int(most * 10**9)


@contextlib.contextmanager
def _on_the_disk(folder):
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"{folder}, the copies of remote shards, cannot be used ({why}): make room, or set {VARIABLE}") from None
