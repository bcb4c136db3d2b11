"""The process in which grade runs a stranger's file: questions come in, arrays go out.

python -m shared_specs.worker FILE QUESTIONS ANSWERS MEMORY   (two file descriptors, and bytes)

It is given inputs only. The specs (which hold literal answers) and the wings cannot be imported here, memory is limited, and
what is printed goes to a pipe that the grader empties and counts.
"""

import importlib.abc
import os
import resource
import sys
import traceback

FORBIDDEN = ("theory_jax", "practice_torch", "tests")
ALLOWED = ("backends", "implementation", "messages", "worker")


class NoAnswers(importlib.abc.MetaPathFinder):
    """Refuses to import whatever holds answers."""

    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] in FORBIDDEN or (parts[0] == "shared_specs" and len(parts) > 1 and parts[1] not in ALLOWED):
            raise ImportError(f"{name} cannot be imported by a file that is being graded")


def limit_memory(extra):
    """What the process has mapped now, and so many bytes more."""
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + extra, mapped + extra))


def main(file, questions, answers, memory):
    """Answers questions until the grader closes the pipe."""
    from shared_specs.messages import Broken, receive, send

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

    with open(file, encoding="utf-8") as source:
        text = source.read()
    # The framework is loaded before memory is counted and before the file can lay hands on it.
    from shared_specs.backends import backend

    for name in ("torch", "jax"):
        if name in text:
            backend(name)
    sys.meta_path.insert(0, NoAnswers())
    if sys.platform == "linux":
        limit_memory(memory)
    namespace = {"__name__": "graded", "__file__": file}
    try:
        exec(compile(text, file, "exec"), namespace)
        send(write, {"ready": True, "functions": sorted(n for n, v in namespace.items() if callable(v))})
    except BaseException as error:
        send(write, {"error": _in_one_line(error)})
        return
    while True:
        try:
            header, arrays = receive(read)
        except Broken:
            return
        try:
            reply, results = answer(namespace, header, arrays)
        except BaseException as error:
            reply, results = {"error": _in_one_line(error), "type": type(error).__name__}, ()
        send(write, reply, results)


def answer(namespace, header, arrays):
    """One question: detect the backend, call, differentiate."""
    from shared_specs.implementation import Implementation, detect_backend
    from shared_specs.messages import unpack

    function = namespace[header["function"]]
    arguments = {name: unpack(value, arrays) for name, value in header["arguments"].items()}
    positional = tuple(unpack(value, arrays) for value in header["positional"])
    if header["ask"] == "detect":
        return {"backend": detect_backend(function, arguments)}, ()
    implementation = Implementation(lambda _: function, header["backend"], header["precision"])
    if header["ask"] == "call":
        return {}, implementation.call(header["function"], arguments, positional)
    if header["ask"] == "vjp":
        paths = [tuple(path) for path in header["paths"]]
        cotangents = [arrays[i] for i in header["cotangents"]]
        results, gradients = implementation.value_and_vjp(header["function"], arguments, paths, cotangents)
        return {"results": len(results)}, results + gradients
    return {}, (implementation.jacobian(header["function"], positional, arguments, header["wrt"]),)


def _in_one_line(error):
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:500]


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
