"""A lock that admits one writer to a run folder: two would corrupt each other's files."""

import fcntl
from pathlib import Path

from practice_torch.engine.errors import RunError


class Lock:
    """The right to write into a run folder, from take() until release() or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._file = folder, None

    def __getstate__(self):
        """What another process is handed is not held."""
        return {"folder": self.folder, "_file": None}

    def take(self) -> None:
        """Take the lock. RunError if another process holds it or the folder is not writable; no effect for the holder."""
        if self._file:
            return
        try:
            file = open(self.folder / ".lock", "a")  # noqa: SIM115 - open as long as the lock is held
        except OSError as error:
            raise RunError(f"cannot write into {self.folder}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if isinstance(error, BlockingIOError):
                raise RunError(f"{self.folder} is being written by another process") from None
            raise RunError(f"cannot lock {self.folder}: {error.strerror}") from None
        self._file = file

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
