"""Kills runs of the engine and lets them go on, again and again; says how many ended in other bytes than a run left in peace.

    python -m tests.engine_kills FOLDER [--random 30] [--save-points] [--processes 1] [--seed 0]

A program of its own: it imports torch once, runs nothing itself, and forks the processes of each run, so that a kill costs
milliseconds. A random kill comes at any moment of a run, and where it finds the run over another one follows; a kill at a save
point comes right before one of the calls with which a checkpoint is written, one run for each of them. What follows is what a
person would do: `--resume`, or, where the kill came before the first checkpoint, starting over. Prints JSON.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import torch._dynamo  # noqa: F401 - the first optimizer would import it: once here, not in every child

from tests.engine_toys import Noisy, Players, begin, go_on, remains

CALLS = ((os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (shutil, "rmtree"))
TOYS = {"noisy": {"make": Noisy}, "players": {"make": Players}}  # what begin and go_on are told


def main():
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--save-points", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, answer = random.Random(asked.seed), {"kills": 0, "killed_while_alive": 0, "runs": 0, "different": []}
    for toy in TOYS:
        folders = [asked.folder / f"{toy}-{name}" for name in ("cold", "warm", "straight")]
        # the quickest of three: the first pays for what is cold, and a kill that comes too late proves nothing
        seconds, wanted = min(_timed(toy, folder, asked.processes) for folder in folders), remains(folders[-1])

        def compare(folder, words, toy=toy, wanted=wanted):
            run(toy, folder, asked.processes)
            answer["runs"] += 1
            if remains(folder) != wanted:
                answer["different"].append(f"{toy}: {words}")
            shutil.rmtree(folder)

        alive = 0
        while alive < asked.random:
            after = rng.uniform(0.0, seconds)
            found = run(toy, asked.folder / "run", asked.processes, kill_after=after)
            seconds = seconds if found else after  # too late: the machine is quicker now
            alive += found
            answer["kills"] += 1
            answer["killed_while_alive"] += found
            compare(asked.folder / "run", f"random kill {answer['kills']} after {after:.4f} s")
        call = 0
        while asked.save_points:
            call += 1
            if not run(toy, asked.folder / "run", asked.processes, die_at=call):
                shutil.rmtree(asked.folder / "run")
                break
            answer["kills"] += 1
            answer["killed_while_alive"] += 1
            compare(asked.folder / "run", f"kill before call {call}")
    print(json.dumps(answer))
    return 1 if answer["different"] else 0


def _timed(toy, folder, processes):
    begun = time.perf_counter()
    run(toy, folder, processes)
    return time.perf_counter() - begun


def run(toy, folder, processes, kill_after=None, die_at=None):
    """Train in forked processes, to the end or to the kill. Whether the kill found the run alive."""
    port = _free_port() if processes > 1 else 0
    children = [_fork(toy, folder, rank, processes, port, die_at) for rank in range(processes)]
    if kill_after is not None:
        time.sleep(kill_after)
        for child in children:
            os.kill(child, signal.SIGKILL)
    statuses, waiting = {}, set(children)
    while waiting:
        child, status = os.waitpid(-1, 0)
        waiting.discard(child)
        statuses[child] = status
        if status:  # what a launcher does: if one process is gone, the others are stopped
            for other in waiting:
                os.kill(other, signal.SIGKILL)
    killed = any(os.WIFSIGNALED(status) for status in statuses.values())
    if not killed and any(statuses.values()):
        raise SystemExit(f"a run of {toy} failed: {statuses}")
    return killed


def _fork(toy, folder, rank, processes, port, die_at):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if processes > 1:
            os.environ |= {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            }  # fmt: skip
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process
        _train(toy, folder, rank, die_at)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def _train(toy, folder, rank, die_at):
    if list((folder / "checkpoints").glob("step-*")):
        training = go_on(folder, **TOYS[toy])
    else:
        if rank == 0:
            shutil.rmtree(folder, ignore_errors=True)
        training = begin(folder, **TOYS[toy])
    if die_at is not None and rank == 0:
        _die_at(die_at)
    training.train()


def _die_at(number):
    """From now on the process kills itself right before the number-th of the calls that change files for good."""
    calls = 0

    def dying(function):
        def call(*arguments, **keywords):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return call

    for module, name in CALLS:
        setattr(module, name, dying(getattr(module, name)))


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
