"""Grading a stranger's file: the topic's rows, run here, on functions that run elsewhere.

The file is never imported in this process. Its functions are called through a worker process (shared_specs/worker.py) that gets
inputs and returns arrays; expected values stay here. The worker is limited in time a call, time in all, memory and output.
This contains accidents and the usual shortcuts; it is no wall against an attacker, who needs a sandbox of the operating system.
"""

import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from shared_specs.implementation import Fault, MissingFunction, NoGradients
from shared_specs.messages import Broken, pack, receive, send


@dataclass(frozen=True)
class Limits:
    """What a graded file may use. Seconds, bytes."""

    call_seconds: float = 20.0
    total_seconds: float = 300.0
    memory: int = 2 * 2**30
    output: int = 2**20


class Worker:
    """The process that runs the file; started again after it ends, unless the file does not even load."""

    def __init__(self, path, limits):
        self.path, self.limits = Path(path), limits
        self._spent = 0.0
        self._process = None
        self._start()

    def _start(self):
        question_read, self._questions = os.pipe()
        self._answers, answer_write = os.pipe()
        arguments = [str(self.path), str(question_read), str(answer_write), str(self.limits.memory)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "shared_specs.worker", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=(question_read, answer_write), cwd=Path(__file__).resolve().parent.parent, start_new_session=True,
            env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},  # what it compiles is not to be found by the grader
        )  # fmt: skip
        os.close(question_read)
        os.close(answer_write)
        self._printed, self._tail = 0, b""
        threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
        # Loading a framework is not the file's fault: its time is counted apart from the calls'.
        header, _ = self._receive(self.limits.call_seconds + 60.0)
        if "error" in header:
            self.close()
            raise Fault(f"{self.path} does not load: {header['error']}")
        self.functions = set(header["functions"])

    def _drain(self, process):
        """Empties what the file prints, and ends it when that is too much."""
        while chunk := os.read(process.stdout.fileno(), 2**16):
            self._printed += len(chunk)
            self._tail = (self._tail + chunk)[-2000:]
            if self._printed > self.limits.output:
                process.kill()
                return

    def ask(self, header, arrays):
        """The worker's reply.  Raises Fault when it fails, takes too long, prints too much or goes away."""
        if self._process is None:
            self._start()
        if self._spent > self.limits.total_seconds:
            raise Fault(f"stopped: all calls together took more than {self.limits.total_seconds:g} s")
        began = time.monotonic()
        try:
            send(self._write, header, arrays)
            return self._receive(self.limits.call_seconds)
        finally:
            self._spent += time.monotonic() - began

    def _write(self, data):
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._questions, view) :]
        except BrokenPipeError as error:
            raise self._gone() from error

    def _receive(self, seconds):
        deadline = time.monotonic() + seconds

        def read(count):
            parts = bytearray()
            while len(parts) < count:
                if not select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))[0]:
                    self.close()
                    raise Fault(f"took more than {seconds:g} s")
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

    def _gone(self):
        printed = self._printed
        status = self._process.wait(timeout=10)
        self.close()
        if printed > self.limits.output:
            return Fault(f"printed more than {self.limits.output} bytes")
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return Fault(f"the process ended {how} instead of answering")

    def close(self):
        """Ends the process; the next question starts a new one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for descriptor in (self._questions, self._answers):
            os.close(descriptor)
        self._process = None


class Graded:
    """The file's functions as an implementation: shared_specs.implementation.Implementation's interface, from afar.

    A function that once took too long or ended its process is not called again: it has failed.
    """

    along_simplex = True  # as Foreign's
    eager = property(lambda self: self)

    def __init__(self, worker, backend_name, precision, failed):
        self.backend = _Named(backend_name)
        self.precision = precision
        self.has_gradients = backend_name != "numpy"
        self._worker = worker
        self._failed = failed

    def network(self, name):
        """None: networks are not part of an exercise."""
        return None

    def call(self, name, arguments, positional=()):
        """The results as a tuple of NumPy arrays."""
        return tuple(self._ask("call", name, arguments, positional)[1])

    def plain_call(self, name, arguments, compiled=None):
        """The same: nothing is compiled there."""
        return self.call(name, arguments)

    def value_and_vjp(self, name, arguments, paths, cotangents):
        """The results, and for each path the gradient of sum <cotangent, result>."""
        header, arrays = self._ask("vjp", name, arguments, paths=list(paths), cotangents=cotangents)
        return tuple(arrays[: header["results"]]), tuple(arrays[header["results"] :])

    def jacobian(self, name, positional, keywords, wrt):
        """The Jacobian of the first result with respect to the positional argument wrt."""
        if not self.has_gradients:
            raise NoGradients(name)
        return self._ask("jacobian", name, keywords, positional, wrt=wrt)[1][0]

    def _ask(self, ask, name, arguments, positional=(), cotangents=(), **more):
        return question(
            self._worker, self._failed, ask, name, arguments, positional, cotangents,
            backend=self.backend.name, precision=self.precision, **more,
        )  # fmt: skip


def question(worker, failed, ask, name, arguments, positional=(), cotangents=(), **more):
    """One call in the worker.  A ValueError there is a ValueError here; everything else that goes wrong is a Fault."""
    if name not in worker.functions:
        raise MissingFunction(name)
    if name in failed:
        raise Fault(f"not called again: {failed[name]}")
    arrays = []
    header = {
        "ask": ask,
        "function": name,
        "arguments": {key: pack(value, arrays) for key, value in arguments.items()},
        "positional": [pack(value, arrays) for value in positional],
        "cotangents": [pack(value, arrays)["array"] for value in cotangents],
    } | more
    try:
        reply, results = worker.ask(header, arrays)
    except Fault as fault:
        failed[name] = str(fault)
        raise
    if "error" in reply:
        if reply.get("type") == "ValueError":
            raise ValueError(reply["error"])
        if reply.get("type") == "Fault":
            raise Fault(reply["error"].split(": ", 1)[-1])
        raise Fault(f"raised {reply['error']}")
    return reply, results


@dataclass(frozen=True)
class _Named:
    name: str


def grade(path, topic, limits=None):
    """Every row of the topic against the file, in float64 and float32: the Results.  Raises Fault if the file does not load."""
    from shared_specs.against import functions_of
    from shared_specs.check import check_topic

    worker = Worker(path, limits or Limits())
    failed = {}
    try:
        backend = _backend(worker, topic, functions_of(topic), failed)
        return [
            result
            for precision in ("float64", "float32")
            for result in check_topic(topic, Graded(worker, backend, precision, failed))
        ]
    finally:
        worker.close()


def _backend(worker, topic, rows, failed):
    """The backend of the first function that answers at all, a framework before NumPy; NumPy if none does."""
    found = set()
    for name, row in rows.items():
        try:
            arguments = row.given.draw(f"{topic}/{name}/{row.case}")
            found.add(question(worker, failed, "detect", name, arguments)[0]["backend"])
        except (Fault, ValueError):
            continue
    return next((name for name in ("torch", "jax") if name in found), "numpy")
