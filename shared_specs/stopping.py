"""Early termination of a command: end its worker processes, and restore everything that it moved aside.

Python runs `finally` and `with` to their end after Ctrl-C only. SIGTERM (kill, make, a batch system) and SIGHUP (a closed
terminal) end a process at once, and its worker processes go on computing.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from types import FrameType
from typing import Any

MOST = 8  # default limit on processes: checking contracts takes up to 1.2 GB in each
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The command was stopped by a signal."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"stopped by {signal.Signals(number).name}")


@contextlib.contextmanager
def handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """In the body, handle(number, frame) is called at a signal of SIGNALS. One that is ignored (nohup) stays ignored.

    Outside the main thread, where Python allows no handlers, nothing changes.
    """
    here = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    left_alone = (signal.SIG_IGN, None)  # None: a handler that Python did not install, and cannot put back
    former = {number: handler for number in here if (handler := signal.getsignal(number)) not in left_alone}
    for number in former:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """In the body, the first signal raises Stopped. Further ones are ignored, so that nothing is left half put back."""

    def stop(number, _frame):
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    with handling(stop):
        yield


def process_count(jobs: int = 0) -> int:
    """jobs; for 0, one for each core that this process may use (by affinity and cgroup, too), and at most 8."""
    from joblib import cpu_count

    return jobs or min(cpu_count(), MOST)


@contextlib.contextmanager
def worker_processes(
    count: int, initializer: Callable[..., None] | None = None, initargs: Sequence[Any] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of new processes that end with the body: at once if it raises, and also if this process is killed."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=(initializer, *initargs)) as pool:
        try:
            yield pool
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            pool.shutdown(cancel_futures=True)
            raise


def _begin(initializer, *arguments):
    """Called first in every worker process. Ctrl-C reaches it, too, but it is its parent that ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer:
        initializer(*arguments)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
