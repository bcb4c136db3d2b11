"""Grades an untrusted file: the rows run in this process, the functions in another.

The file is never imported in this process. Its functions are called through a worker process (shared_specs/grading/process.py)
that gets inputs and returns arrays; expected values stay here. This protects from accidents and shortcuts, not from an
attacker: the file runs as the same user, who can read the disk.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from shared_specs.backends import NAMES
from shared_specs.checking.arguments import Arguments, Arrays, Key
from shared_specs.checking.check import MISSING, Checker, Result, spec_of
from shared_specs.checking.implementation import Fault, MissingFunction, NoGradients
from shared_specs.grading.against import functions_of
from shared_specs.grading.packing import Packer
from shared_specs.grading.process import Limits, NotGraded, Worker
from shared_specs.grading.recorded_answers import recorded_reference
from shared_specs.rows import Law

NOT_CALLED_AGAIN = "not called again: "


class Graded:
    """The file's functions as an implementation, called through the worker.

    A function that once took too long or ended its process is not called again: it has failed.
    """

    eager = property(lambda self: self)
    along_simplex = True
    names_only_argument = True

    def __init__(
        self,
        worker: Worker,
        backend_name: str,
        precision: str,
        failed: dict[str, str],
        chosen: Collection[str] | None = None,
        values_only: bool = False,
    ) -> None:
        self.backend = _Named(backend_name)
        self.precision = precision
        self.has_gradients = backend_name != "numpy" and not values_only
        self._worker = worker
        self._failed = failed
        self._chosen = chosen

    def network(self, name: str) -> None:
        """None: networks are not part of an exercise."""
        return None

    def call(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> Arrays:
        """The results as a tuple of NumPy arrays."""
        return tuple(self._ask("call", name, arguments, positional)[1])

    def plain_call(self, name: str, arguments: Arguments, computed: Arrays | None = None) -> Arrays:
        """The same: nothing is compiled there."""
        return self.call(name, arguments)

    def value_and_vjp(
        self, name: str, arguments: Arguments, paths: Sequence[Key], cotangents: Sequence[np.ndarray]
    ) -> tuple[Arrays, Arrays]:
        """The results, and for each path the gradient of sum <cotangent, result>."""
        header, arrays = self._ask("vjp", name, arguments, paths=list(paths), cotangents=cotangents)
        return tuple(arrays[: header["results"]]), tuple(arrays[header["results"] :])

    def jacobian(self, name: str, positional: Sequence[Any], keywords: Arguments, wrt: int) -> np.ndarray:
        """The Jacobian of the first result with respect to the positional argument wrt."""
        if not self.has_gradients:
            raise NoGradients(name)
        return self._ask("jacobian", name, keywords, positional, wrt=wrt)[1][0]

    def _ask(self, ask, name, arguments, positional=(), cotangents=(), **more):
        if self._chosen is not None and name not in self._chosen:
            raise MissingFunction(name)
        return question(
            self._worker,
            self._failed,
            ask,
            name,
            arguments,
            positional,
            cotangents,
            backend=self.backend.name,
            precision=self.precision,
            **more,
        )


def question(
    worker: Worker,
    failed: dict[str, str],
    ask: str,
    name: str,
    arguments: Arguments,
    positional: Sequence[Any] = (),
    cotangents: Sequence[np.ndarray] = (),
    **more: Any,
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """One call in the worker.  A ValueError there is a ValueError here; everything else that goes wrong is a Fault."""
    if name not in worker.functions:
        raise MissingFunction(name)
    if name in failed:
        raise Fault(f"{NOT_CALLED_AGAIN}{failed[name]}")
    packer = Packer()
    header = {
        "ask": ask,
        "function": name,
        "arguments": {key: packer.pack(value) for key, value in arguments.items()},
        "positional": [packer.pack(value) for value in positional],
        "cotangents": [packer.pack(value) for value in cotangents],
        "functions": packer.functions,
    } | more
    try:
        reply, results = worker.ask(header, packer.arrays)
        _require_sense(ask, reply, results, len(more.get("paths", ())))
    except Fault as fault:
        failed[name] = str(fault)
        raise
    if "error" in reply:
        _raise(reply)
    return reply, results


def _require_sense(ask, reply, results, gradients):
    """Raises Fault unless a reply is one to such a question: the file can write to the pipe itself."""
    if "error" in reply:
        sound = isinstance(reply["error"], str)
    elif ask == "detect":
        sound = reply.get("backend") in NAMES
    elif ask == "vjp":
        sound = type(reply.get("results")) is int and reply["results"] == len(results) - gradients >= 0
    else:
        sound = ask == "call" or len(results) == 1
    if not sound:
        raise Fault("sent an answer to another question")


def _raise(reply):
    line = f" (line {reply['line']})" if isinstance(reply.get("line"), int) else ""
    if reply.get("kind") == "refusal":
        raise ValueError(reply["error"])
    raise Fault(f"{'' if reply.get('kind') == 'fault' else 'raised '}{reply['error']}{line}")


@dataclass(frozen=True)
class _Named:
    name: str


def grade(
    path: Path,
    topic: str,
    limits: Limits | None = None,
    chosen: Collection[str] | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
    recorded: bool = False,
    closed: Sequence[Path] = (),
) -> list[Result]:
    """The topic's rows against the file, in float64 and float32: the Results.  Raises Fault if the file does not load.

    chosen: the functions to mark; laws are left out where they need another. recorded: whether recorded answers judge, which
    know no gradients. closed: folders that the file cannot open; with any, it writes in its temporary folder only.
    """
    reference = recorded_reference(topic) if recorded else None
    rows = [row for row in spec_of(topic) if chosen is None or isinstance(row, Law) or getattr(row, "function", None) in chosen]
    failed = {}
    try:
        worker = Worker(path, limits or Limits(), closed)
    except OSError as error:
        raise NotGraded(f"{path} cannot be graded: {error.strerror or error}") from None
    try:
        backend = backend_of(worker, topic, failed, chosen)
        graded = [Graded(worker, backend, precision, failed, chosen, recorded) for precision in ("float64", "float32")]
        checkers = [Checker(topic, each, reference) for each in graded]
        results = []
        for i, (checker, row) in enumerate(product(checkers, rows)):
            progress(i, len(checkers) * len(rows))
            results += checker.run([row])
    finally:
        worker.end()
    return [result for result in results if chosen is None or result.quantity != MISSING or result.function in chosen]


def backend_of(worker: Worker, topic: str, failed: dict[str, str], chosen: Collection[str] | None = None) -> str:
    """The backend of what the chosen functions return, frameworks first; if none returns, the one that the file mentions."""
    found = set()
    for name, row in functions_of(topic).items():
        if chosen is not None and name not in chosen:
            continue
        try:
            arguments = row.given.draw(f"{topic}/{name}/{row.case}")
            found.add(question(worker, failed, "detect", name, arguments)[0]["backend"])
        except (Fault, ValueError):
            continue
    if not found and worker.frameworks in (["torch"], ["jax"]):
        return worker.frameworks[0]
    return next((name for name in ("torch", "jax") if name in found), "numpy")
