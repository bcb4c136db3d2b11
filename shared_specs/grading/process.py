"""Starts and controls the worker of `grade`: a process in a temporary folder, with limits on time, memory and output.

Not with multiprocessing: its connections unpickle anything that the other process sends.
"""

import ast
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from shared_specs.checking.implementation import Fault
from shared_specs.commands.extras import without_framework
from shared_specs.grading.messages import Broken, receive, send
from shared_specs.grading.own_files import PACKAGE, own_files

REPOSITORY = PACKAGE.parent
# The repository's own folders, which are never copied with a graded file that is next to them.
NOT_COPIED = ("theory_jax", "practice_torch", "shared_specs", "tests", "demo", "benchmarks")
# The environment that reaches the worker: what numerical libraries read. Everything else may name the repository.
ENVIRONMENT = ("LANG", "LC_", "LD_LIBRARY_PATH", "OMP_", "MKL_", "OPENBLAS_", "XLA_", "JAX_", "CUDA_", "NVIDIA_", "TZ")
START = (
    "import json, sys; grader = int(sys.argv[1]); sys.argv[:] = ['']; given = json.loads(open(grader, "
    "closefd=False).readline()); sys.path[:] = given.pop('path'); from shared_specs.grading.confinement import supervise; "
    "supervise(grader); from shared_specs.grading.worker import main; main(**given)"
)
MOST_FILES = 200  # next to a graded file
LOADING = 60.0  # seconds to start Python and a framework


@dataclass(frozen=True)
class Limits:
    """Limits of a graded file, in seconds and bytes."""

    call_seconds: float = 20.0
    total_seconds: float = 300.0
    memory: int = 2 * 2**30
    output: int = 2**20


class NotGraded(Fault):
    """A file could not be run, by a fault of the machine: a full disk, or a process that does not start."""


class Worker:
    """The process that runs the file; restarted after it ends, unless the file cannot be loaded."""

    def __init__(self, path: str | Path, limits: Limits, closed: Sequence[Path] = ()) -> None:
        """closed: folders that the file cannot open; with any, it writes in its temporary folder only."""
        self.path, self.limits, self._closed = Path(path), limits, [str(folder) for folder in closed]
        self._spent = 0.0
        self._process = None
        self._folder = tempfile.TemporaryDirectory(prefix="graded-", ignore_cleanup_errors=True)
        own, graded = (Path(self._folder.name).resolve() / name for name in ("own", "graded"))
        for name in own_files():
            (own / "shared_specs" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PACKAGE / name, own / "shared_specs" / name)
        graded.mkdir()
        copy_with_siblings(self.path, graded)
        self._path = [str(own), *_importable()]
        self._file = graded / self.path.name
        try:
            self._start()
        except Fault:
            self.end()
            raise

    def _start(self):
        question_read, self._questions = os.pipe()
        self._answers, answer_write = os.pipe()
        life_read, self._life = os.pipe()
        os.set_blocking(self._questions, False)
        given = {
            "path": self._path,
            "file": str(self._file),
            "questions": question_read,
            "answers": answer_write,
            "memory": self.limits.memory,
            "repository": str(REPOSITORY),
            "own": [*self._path, sys.prefix, self._folder.name],
            "closed": self._closed,
        }
        os.write(self._life, json.dumps(given).encode() + b"\n")  # not as arguments, which /proc would show
        self._process = subprocess.Popen(
            [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", START, str(life_read)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(question_read, answer_write, life_read),
            cwd=self._file.parent,
            env=self._environment(),
        )
        for descriptor in (question_read, answer_write, life_read):
            os.close(descriptor)
        self._printed = 0
        threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
        # Loading a framework is not the file's fault: its time is counted apart from the calls'.
        started = False
        try:
            self._receive(LOADING)
            started = True
            header, _ = self._timed(lambda: self._receive(self.limits.call_seconds))
            if "error" in header:
                line = f"line {header['line']}: " if isinstance(header.get("line"), int) else ""
                kind = "ValueError: " if header.get("kind") == "refusal" else ""
                raise Fault(f"{line}{kind}{str(header['error'])[:500]}")
            if not isinstance(header.get("functions"), list):
                raise Fault("it did not send the names of its functions")
        except Fault as fault:
            self.close()
            kind = Fault if started else NotGraded
            raise kind(without_framework(f"{self.path} does not load: {fault}")) from None
        self.functions = {name for name in header["functions"] if isinstance(name, str)}
        self.frameworks = header.get("frameworks")

    def _environment(self):
        kept = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
        # What JAX compiles there is not to be found by the grader.
        return kept | {"HOME": self._folder.name, "TMPDIR": self._folder.name, "JAX_ENABLE_COMPILATION_CACHE": "false"}

    def _drain(self, process):
        """Empties what the file prints, and ends it when that is too much."""
        with process.stdout as printed:
            while chunk := printed.read1(2**16):
                self._printed += len(chunk)
                if self._printed > self.limits.output:
                    self._stop()

    def ask(self, header: dict[str, Any], arrays: Sequence[np.ndarray]) -> tuple[dict[str, Any], list[np.ndarray]]:
        """The worker's reply.  Raises Fault if it fails, takes too long, prints too much or ends."""
        if self._process is None:
            self._start()
        if self._spent > self.limits.total_seconds:
            raise Fault(f"stopped: all calls together took more than {self.limits.total_seconds:g} s")

        def exchange():
            send(self._write, header, arrays)
            return self._receive(self.limits.call_seconds)

        return self._timed(exchange)

    def _timed(self, exchange):
        began = time.monotonic()
        try:
            return exchange()
        finally:
            self._spent += time.monotonic() - began

    def _write(self, data):
        deadline = time.monotonic() + self.limits.call_seconds
        view = memoryview(data)
        while view:
            if not select.select([], [self._questions], [], max(deadline - time.monotonic(), 0))[1]:
                raise self._too_slow(self.limits.call_seconds)
            try:
                view = view[os.write(self._questions, view) :]
            except BrokenPipeError as error:
                raise self._gone() from error

    def _receive(self, seconds):
        deadline = time.monotonic() + seconds

        def read(count):
            parts = bytearray()
            while len(parts) < count:
                if not select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))[0]:
                    raise self._too_slow(seconds)
                part = os.read(self._answers, min(count - len(parts), 2**20))
                if not part:
                    raise self._gone()
                parts += part
            return bytes(parts)

        try:
            return receive(read)
        except Broken as broken:
            self.close()
            raise Fault(f"sent {broken}") from broken

    def _too_slow(self, seconds):
        self.close()
        return Fault(f"took more than {seconds:g} s")

    def _gone(self):
        """Why there is no answer: the worker has ended, or has closed its end of the pipe."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        status, printed = self._process.poll(), self._printed
        self.close()
        if printed > self.limits.output:
            return Fault(f"printed more than {self.limits.output} bytes")
        if status is None:
            return Fault("the process closed its pipe instead of answering")
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return Fault(f"the process ended {how} instead of answering")

    def _stop(self):
        """Lets go of the supervisor, which ends every process that the file has started, and itself."""
        life, self._life = self._life, None
        if life is not None:
            os.close(life)

    def close(self) -> None:
        """Ends the process and all that descend from it; the next question starts a new one."""
        if self._process is None:
            return
        self._stop()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for descriptor in (self._questions, self._answers):
            os.close(descriptor)
        self._process = None

    def end(self) -> None:
        """Ends the process and removes its folder."""
        self.close()
        self._folder.cleanup()


def _importable():
    """The worker's import path: the current one without folders of the repository's packages, except installed ones."""
    for entry in sys.path:
        path = Path(entry).resolve() if entry else REPOSITORY
        installed = path.name in ("site-packages", "dist-packages")
        if path.exists() and (installed or not any((path / wing).is_dir() for wing in NOT_COPIED[:2])):
            yield str(path)


# ---------------------------------------------------------------------------------------------------- the file and its helpers


def copy_with_siblings(file: Path, folder: Path) -> None:
    """Copies a Python file and, from next to it, the modules and packages that it imports, and those that these import."""
    todo, seen = [file], {file}
    while todo:
        source = todo.pop()
        target = folder / source.relative_to(file.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        for name in _imported(source):
            if name in NOT_COPIED or name in sys.stdlib_module_names:
                continue
            module, package = file.parent / f"{name}.py", file.parent / name
            found = [module] if module.is_file() else package.rglob("*.py")
            # a package is found again by each of its files that imports another
            new = list(islice((path for path in found if path not in seen and not _is_ours(path)), MOST_FILES))
            seen.update(new)
            if len(seen) > MOST_FILES:
                raise Fault(f"{file} imports {name} from its folder, and with it more than {MOST_FILES} files")
            todo += new


def _imported(path):
    """The first names of what a file imports; none if it is not Python."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _is_ours(path):
    """Whether a file belongs to the repository's own packages, also by a link."""
    return any(path.resolve().is_relative_to(REPOSITORY / name) for name in NOT_COPIED)
