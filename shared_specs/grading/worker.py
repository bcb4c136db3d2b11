"""The process in which `grade` runs an untrusted file: calls come in, arrays go out.

It gets inputs only, and runs copies of this file and of those it needs, in a temporary folder (shared_specs/grading/process.py).
What the file prints goes to a pipe that the grader reads and limits.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from shared_specs.backends import backend, installed
from shared_specs.checking.implementation import Fault, Implementation, detect_backend
from shared_specs.grading.confinement import keep_from_answers, limit_memory
from shared_specs.grading.messages import Broken, receive, send
from shared_specs.grading.packing import Unpacker

FRAMEWORKS = ("torch", "jax")


def main(
    file: str, questions: int, answers: int, memory: int, repository: str, own: Sequence[str], closed: Sequence[str] = ()
) -> None:
    """Answers questions until the grader closes the pipe. own, closed: see keep_from_answers."""

    def read(count):
        parts = []
        while count:
            part = os.read(questions, min(count, 2**20))
            if not part:
                raise Broken("the grader is gone")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def write(data):
        view = memoryview(data)
        while view:
            view = view[os.write(answers, view) :]

    with open(file, encoding="utf-8-sig") as source:  # editors of Windows begin a file with a mark
        text = source.read()
    # The framework is loaded before memory is counted and before the file can lay hands on it.
    sources = "".join(path.read_text(encoding="utf-8", errors="replace") for path in Path(file).parent.rglob("*.py"))
    frameworks = [name for name in FRAMEWORKS if name in sources and name in installed()]
    for name in frameworks:
        backend(name)
    send(write, {"ready": True})
    sys.path.insert(0, os.path.dirname(file))
    keep_from_answers(repository, own, closed)
    if sys.platform == "linux":
        limit_memory(memory)
    module = sys.modules["graded"] = ModuleType("graded")
    module.__file__ = file
    try:
        exec(compile(text, file, "exec"), module.__dict__)
        functions = sorted(name for name, value in vars(module).items() if callable(value))
        send(write, {"functions": functions, "frameworks": frameworks})
    except BaseException as error:
        send(write, described(error, file))
        return
    while True:
        try:
            header, arrays = receive(read)
        except Broken:
            return
        send(write, *reply(partial(implemented, vars(module)), header, arrays, file))


def reply(
    implement: Callable[[dict[str, Any]], Any], header: dict[str, Any], arrays: Sequence[np.ndarray], file: str = ""
) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """(header, arrays) of the answer; exceptions are caught. implement(header): the requested implementation."""
    try:
        return answer(implement(header), header, arrays)
    except BaseException as error:
        return described(error, file), ()


def implemented(namespace: dict[str, Any], header: dict[str, Any]) -> Any:
    """The function that a question is about, as an implementation; to detect its backend, the function."""
    function = namespace[header["function"]]
    return function if header["ask"] == "detect" else Implementation(lambda _: function, header["backend"], header["precision"])


def answer(
    implementation: Implementation, header: dict[str, Any], arrays: Sequence[np.ndarray]
) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """One question: detect the backend, call, differentiate."""
    packed = Unpacker(arrays, header["functions"])
    name = header["function"]
    arguments = {key: packed.unpack(value) for key, value in header["arguments"].items()}
    positional = tuple(map(packed.unpack, header["positional"]))
    if header["ask"] == "detect":
        return {"backend": detect_backend(implementation, arguments)}, ()
    if header["ask"] == "call":
        return {}, implementation.call(name, arguments, positional)
    if header["ask"] == "vjp":
        paths = [tuple(path) for path in header["paths"]]
        cotangents = [packed.unpack(cotangent) for cotangent in header["cotangents"]]
        results, gradients = implementation.value_and_vjp(name, arguments, paths, cotangents)
        return {"results": len(results)}, results + gradients
    return {}, (implementation.jacobian(name, positional, arguments, header["wrt"]),)


def described(error: BaseException, file: str) -> dict[str, Any]:
    """An error as the header of a reply: its kind, the first line of its message, and the line of the file where it arose.

    The first line, because JAX appends advice about its own frames.
    """
    if isinstance(error, SyntaxError):
        return {"error": f"SyntaxError: {error.msg}", "line": error.lineno}
    try:
        said = str(error).strip().splitlines()
    except BaseException:  # a class of the file's own
        said = []
    kind = "refusal" if isinstance(error, ValueError) else "fault" if isinstance(error, Fault) else "error"
    text = said[0][:500] if said else ""
    if kind == "error":
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    here = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return {"error": text, "kind": kind, "line": here[-1] if here else None}
