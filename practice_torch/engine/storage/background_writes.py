"""Checkpoints written during the training by a thread, from copies in host memory."""

from concurrent.futures import ThreadPoolExecutor

from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.storage import checkpoint


class Saver:
    """Writes checkpoints in the background, at most one at a time.

    The processes of a run agree on each checkpoint in that thread, by its own connections, with the same outcome: it is
    there, or a RunError gives the reason.
    """

    def __init__(self, processes: Processes, cpu: bool) -> None:
        self._processes, self._team = processes, Processes(cpu, purpose="save")
        self._thread, self._last = ThreadPoolExecutor(max_workers=1), None

    def begin(self, *words: object) -> None:
        """Write a checkpoint of these words, once the last one is written. None of the tensors may change any more."""
        self.finish()
        self._last = self._thread.submit(checkpoint.save, *words, team=self._team)

    def finish(self) -> None:
        """Wait until nothing is being written. Raises the exception of the writing, if any."""
        last, self._last = self._last, None
        if last:
            last.result()

    def require_success(self) -> None:
        """Raise the exception of a finished writing in any of the processes; called by all of them."""
        if any(self._processes.all_gather(bool(self._last and self._last.done() and self._last.exception()))):
            self.finish()
