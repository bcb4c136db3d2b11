"""Kills runs of the engine and lets them go on, again and again; says how many ended in other bytes than a run left in peace.

    python -m tests.engine_kills FOLDER [--random 30] [--save-points] [--commands] [--processes 1] [--seed 0]

A program of its own: it imports torch once, runs nothing itself, and forks the processes of each run, so that a kill costs
milliseconds. A random kill comes at any moment of a run, and where it finds the run over another one follows; a kill at a save
point comes right before one of the calls that write, lock, sync, rename or remove a file, one run for each of them. What
follows is what a person would do: `--resume`, or, as long as there is no checkpoint, the same command again; both are tried.
--commands kills the command line itself in this way, before its first checkpoint. Prints JSON.
"""

import argparse
import builtins
import fcntl
import io
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import sklearn.datasets  # noqa: F401 - what follows is imported once here, not in every child
import torch._dynamo  # noqa: F401 - by the first optimizer

import practice_torch.data.images
import practice_torch.engine.report
import practice_torch.experiments.foundations.maximum_likelihood  # noqa: F401
from practice_torch.__main__ import main as main_of_the_wing
from tests.engine_toys import Noisy, Players, begin, go_on, remains

CALLS = ((os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (shutil, "rmtree"), (fcntl, "flock"))
CALLS += ((builtins, "open"), (io, "open"))  # the second is pathlib's
TOYS = {"noisy": {"make": Noisy}, "players": {"make": Players}}  # what begin and go_on are told
STRIDES = {"players": 3}  # of the calls before which a kill comes: its saves are those of the other toy
COMMAND = ("foundations/maximum_likelihood", "pixels")  # a step is all of its training


def main():
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--save-points", action="store_true")
    parser.add_argument("--commands", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, answer = random.Random(asked.seed), {"kills": 0, "killed_while_alive": 0, "runs": 0, "different": []}
    for toy in ("command",) if asked.commands else TOYS:
        folders = [asked.folder / f"{toy}-{name}" for name in ("cold", "warm", "straight")]
        # the quickest of three: the first pays for what is cold, and a kill that comes too late proves nothing
        seconds, wanted = min(_timed(toy, folder, asked.processes) for folder in folders), remains(folders[-1])

        def compare(folder, words, toy=toy, wanted=wanted):
            twin = folder.with_name("again")
            if folder.exists() and not begun(folder):
                shutil.copytree(folder, twin)
            for one, resume in ((folder, True), (twin, False)):
                if one is folder or one.exists():
                    run(toy, one, asked.processes, resume=resume)
                    answer["runs"] += 1
                    if remains(one) != wanted:
                        answer["different"].append(f"{toy}: {words}, {'--resume' if resume else 'the same command again'}")
                    shutil.rmtree(one)

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
        while (asked.save_points or asked.commands) and not answer["different"]:
            call += STRIDES.get(toy, 1)
            alive = run(toy, asked.folder / "run", asked.processes, die_at=call)
            if not alive or asked.commands and begun(asked.folder / "run"):
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


def begun(folder):
    """Whether there is a checkpoint to go on from."""
    return any((folder / "checkpoints").glob("step-*"))


def run(toy, folder, processes, kill_after=None, die_at=None, resume=True):
    """Train in forked processes, to the end or to the kill. Whether the kill found the run alive.

    resume: whether a folder without a checkpoint is given to --resume, or to the same command again.
    """
    port = _free_port() if processes > 1 else 0
    children = [_fork(toy, folder, rank, processes, port, die_at, resume) for rank in range(processes)]
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


def _fork(toy, folder, rank, processes, port, die_at, resume):
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
        if die_at is not None and rank == 0:
            _die_at(die_at, folder)
        _train(toy, folder, resume)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def _train(toy, folder, resume):
    going_on = begun(folder) or resume and (folder / "recipe.json").exists()
    if toy == "command":
        if main_of_the_wing(["train", *(("--resume", str(folder)) if going_on else (*COMMAND, "--run", str(folder))), "--cpu"]):
            raise SystemExit("the command failed")
    elif going_on:
        go_on(folder, **TOYS[toy]).train()
    else:
        begin(folder, **TOYS[toy]).train()


def _die_at(number, folder):
    """From now on the process kills itself right before the number-th of the calls that change files for good.

    Files that are opened count until there is a checkpoint; what is written later is written aside, or cut on going on.
    """
    calls = 0

    def dying(function):
        def call(*arguments, **keywords):
            nonlocal calls
            mode = str(keywords.get("mode", arguments[1:2]))  # to open a file for reading changes nothing
            calls += function.__name__ != "open" or not (set("wa+").isdisjoint(mode) or begun(folder))
            if calls >= number:
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
