"""Confines a graded file: no process outlives it, no file with answers can be opened or imported, memory is limited.

Only the standard library, as this runs in the worker's process before anything else does. bubblewrap and nsjail are programs
that pip does not install, and psutil, which follows parents, does not see a process after its parent has ended.
"""

import contextlib
import ctypes
import importlib.abc
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

FORBIDDEN = ("theory_jax", "practice_torch", "shared_specs", "tests")
OPENS = ("open", "os.listdir", "os.scandir", "os.chdir")
STARTS = ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
KILLS = ("os.kill", "os.killpg")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SET_PARENT_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
LARGEST_FILE = 64 * 2**20

# ---------------------------------------------------------------------------------------------------- processes


def supervise(grader: int) -> None:
    """Fork: the child returns and continues as the worker; the parent waits, and ends with the worker's status.

    When the worker ends, or the grader's end of the pipe `grader` closes, every descendant is killed: an orphaned
    child is adopted by the nearest subreaper above it, which is this process.
    """
    _prctl(SET_CHILD_SUBREAPER, 1)
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    worker = os.fork()
    if not worker:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (awake, wake, grader):
            os.close(descriptor)
        os.setsid()
        _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        return
    for descriptor in map(int, os.listdir("/dev/fd")):  # the pipes are the worker's: their end is to be seen when it ends
        if descriptor not in (awake, wake, grader):
            with contextlib.suppress(OSError):
                os.close(descriptor)
    status = None
    while status is None:
        ready = select.select([grader, awake], [], [])[0]
        if grader in ready:
            break
        os.read(awake, 4096)
        status = _reaped(worker)
    _end_all(worker)
    if status is not None and os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL has no handler to be reset
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(0 if status is None else os.waitstatus_to_exitcode(status))


def _prctl(option, value):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


def _reaped(worker):
    """Takes leave of every child that has ended; the worker's status if it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == worker:
                status = ended[1]
    return status


def _end_all(worker, seconds=10.0):
    """Kills the worker's process group, then every descendant, until there is none: those that fork meanwhile, too."""
    deadline = time.monotonic() + seconds
    groups = {worker}
    while time.monotonic() < deadline:
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)  # at once: none of the group can fork in between
        _reaped(worker)
        groups = set()
        for process in _descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                groups.add(os.getpgid(process))
                os.kill(process, signal.SIGKILL)
        groups.discard(os.getpgid(0))
        if not groups:
            return
        time.sleep(0.001)


def _descendants(ancestor):
    """Every process below the ancestor, by /proc; none where there is no /proc."""
    children = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = []
    below = children.get(ancestor, [])
    while below:
        found += below
        below = [child for process in below for child in children.get(process, [])]
    return found


# ---------------------------------------------------------------------------------------------------- answers


class NoAnswers(importlib.abc.MetaPathFinder):
    """Refuses to import modules that hold answers: all of FORBIDDEN, except for those below a folder, the worker's own."""

    def __init__(self, folder: str) -> None:
        files = (os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names)
        modules = (file.removesuffix(".py").replace(os.sep, ".") for file in files if file.endswith(".py"))
        self.own = {module.removesuffix(".__init__") for module in modules}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in FORBIDDEN and name not in self.own:
            raise ImportError(f"{name} cannot be imported by a file that is being graded")


def keep_from_answers(repository: str, own: Sequence[str], closed: Sequence[str] = ()) -> None:
    """Refuses what would lead to answers, from here on: imports from the repository, its files, programs, signals, the network.

    repository: its folder. own: folders inside it, or of like names, that stay open: the worker's own files first,
    site-packages, its temporary folder last. closed: folders that do not open either (other submissions); with any,
    nothing is written outside the temporary folder.
    """
    repository, own, closed = _real(repository), tuple(map(_real, own)), tuple(map(_real, closed))

    def watch(event, arguments):
        if event in STARTS:
            raise PermissionError("a file that is being graded cannot start processes")
        if event in NETWORK:
            raise PermissionError("a file that is being graded cannot use the network")
        if event in KILLS and (event == "os.killpg" or arguments[0] != os.getpid()):
            raise PermissionError("a file that is being graded cannot end other processes")
        if event not in OPENS and event not in CHANGES:
            return
        paths = [_real(part) for part in arguments[: 1 if event in OPENS else 2] if isinstance(part, str | bytes | os.PathLike)]
        for path in paths if event in OPENS else ():
            inside = path.startswith(repository) and not path.startswith(own)
            named = not path.startswith(own[0]) and any(f"{os.sep}{name}{os.sep}" in path for name in FORBIDDEN[:3])
            if inside or named:
                raise PermissionError("a file that is being graded cannot read the repository")
            if path.startswith(closed) and not path.startswith(own[-2:]):
                raise PermissionError("a file that is being graded cannot read other submissions")
        writes = event in CHANGES or event == "open" and (arguments[2] or 0) & WRITING
        if closed and writes and not all(path.startswith((own[-1], os.devnull)) for path in paths):
            raise PermissionError("a file that is being graded cannot write outside its temporary folder")

    sys.meta_path.insert(0, NoAnswers(own[0]))
    sys.addaudithook(watch)


def _real(path):
    return os.path.realpath(os.fsdecode(path)) + os.sep


# ---------------------------------------------------------------------------------------------------- memory


def limit_memory(extra: int) -> None:
    """Limits: the memory mapped now plus this many bytes; no core dump; no large file."""
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + extra, mapped + extra))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
