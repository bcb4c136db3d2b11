"""A lock that admits one writer to a run folder: two would corrupt each other's files."""

from pathlib import Path

from filelock import FileLock, Timeout

from practice_torch.engine.errors import RunError


class Lock:
    """The right to write into a run folder, from take() until release() or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        # without fallback_to_soft=False, a file system without flock gets a lock file that outlives a killed process
        self.folder = folder
        self._file = FileLock(folder / ".lock", blocking=False, thread_local=False, fallback_to_soft=False)

    def __reduce__(self):
        """Another process gets a lock that is not held."""
        return Lock, (self.folder,)

    def take(self) -> None:
        """Take the lock. RunError if another process holds it or the folder is not writable; no effect for the holder."""
        if self._file.is_locked:
            return
        try:
            self._file.acquire()
        except Timeout:
            raise RunError(f"{self.folder} is being written by another process") from None
        except OSError as error:
            raise RunError(f"cannot write into {self.folder}: {error.strerror}") from None

    def release(self) -> None:
        self._file.release()
