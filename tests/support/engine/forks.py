"""Processes that need not import torch: a program that has imported what runs import, and forks what tests ask for.

    python -m tests.support.engine.forks

Each line of its input is a request, {"call": "module:function", "arguments": [...], "options": {...}, "ranks": 2}, and each line
of its output the answer: for every process its exit code, what it printed, and what the function returned. Several ranks are the
processes of one run, as torchrun and accelerate's launcher start them. The program itself runs nothing, so that every process
begins alike.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[3]
IMPORTED = (
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "practice_torch.reports.report",
    "sklearn.datasets",
    "tests.support.engine.kills",
    "tests.support.engine.sharded",
    "tests.support.engine.weighted",
    "torch._dynamo",
    "torch.distributed.fsdp",
)


@pytest.fixture(scope="session")
def forked():
    """forked("module:function", *arguments, ranks=1, **options) -> for every process its code, out, err and value."""
    words = [sys.executable, "-m", __name__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}) as program:

        def answer(call, *arguments, ranks=1, **options):
            request = {"call": call, "arguments": arguments, "options": options, "ranks": ranks}
            print(json.dumps(request, default=str), file=program.stdin, flush=True)
            line = program.stdout.readline()
            assert line, "the program that forks has ended"
            return [SimpleNamespace(**each) for each in json.loads(line)]

        yield answer
        program.stdin.close()


def run(call, arguments, options, ranks):
    """The answer to a request."""
    with tempfile.TemporaryDirectory() as folder:
        children = [
            fork(lambda rank=rank: _call(Path(folder, str(rank)), call, arguments, options), environment)
            for rank, environment in ranks_of(ranks).items()
        ]
        codes = codes_of(children)
        texts = [[Path(folder, f"{rank}{end}").read_text() for end in (".out", ".err", ".value")] for rank in range(ranks)]
    return [
        {"code": code, "out": out, "err": err, "value": json.loads(value or "null")}
        for code, (out, err, value) in zip(codes, texts, strict=True)
    ]


def _call(place, call, arguments, options):
    module, name = call.split(":")
    with contextlib.ExitStack() as files:
        out, err, value = (files.enter_context(open(f"{place}{end}", "w")) for end in (".out", ".err", ".value"))
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        json.dump(getattr(importlib.import_module(module), name)(*arguments, **options), value)


def ranks_of(processes):
    """{rank: its environment}, as a launcher sets it."""
    if processes == 1:
        return {0: {}}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(processes))
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {rank: shared | dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank)) for rank in range(processes)}


def fork(work, environment):
    """The number of a new process, which does the work and ends with 0, with 1 after an exception, or with what it exits with."""
    if child := os.fork():
        return child
    code = 1
    try:
        os.environ |= environment
        work()
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def codes_of(children):
    """Exit codes, -9 for a process that was killed. What a launcher does: if one fails, the others are stopped."""
    codes, waiting = {}, set(children)
    while waiting:
        child, status = os.waitpid(-1, 0)
        waiting.discard(child)
        codes[child] = os.waitstatus_to_exitcode(status)
        for other in waiting if status else ():
            os.kill(other, signal.SIGKILL)
    return [codes[child] for child in children]


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else the first collection of every process copies all of this one's memory
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
