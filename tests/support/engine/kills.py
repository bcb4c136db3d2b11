"""Kill and resume runs of the engine repeatedly; count those that end in other bytes than an uninterrupted run.

    python -m tests.support.engine.kills FOLDER [--random 30] [--save-points] [--commands] [--processes 1] [--seed 0]

A separate program: it imports torch once, runs nothing itself, and forks the processes of each run, so that a kill costs
milliseconds. A random kill comes at any moment of a run, and is repeated if the run is over. A kill at a save
point would come right before one of the calls that write, lock, sync, rename or remove a file. What it would leave is copied
there while one run goes on: every state of the folder once, since many calls do not change it. What follows is what a person
would do: `--resume`, or, as long as there is no checkpoint, the same command again; both are tried. --commands does so with the
command line itself, before its first checkpoint. Prints JSON.
"""

import argparse
import builtins
import fcntl
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import sklearn.datasets  # noqa: F401 - what follows is imported once here, not in every child
import torch._dynamo  # noqa: F401 - by the first optimizer

import practice_torch.data.images
import practice_torch.experiments.foundations.maximum_likelihood  # noqa: F401
from practice_torch.__main__ import main as main_of_the_wing
from practice_torch.engine.costs.environment import commit
from practice_torch.engine.storage import snapshot
from practice_torch.reports import report
from tests.support.engine.forks import codes_of, fork, ranks_of
from tests.support.engine.toys import RECIPE, Noisy, Players, begin, remains, resume

CALLS = ((os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (shutil, "rmtree"), (fcntl, "flock"))
CALLS += ((builtins, "open"), (io, "open"))  # the second is pathlib's
# Saves of every kind: the first, with nothing to remove, kept for good, with an evaluation and its best weights, plain, the last.
SHORT = replace(RECIPE, steps=10, keep_every=4, keep_best=True)
TOYS = {"noisy": {"make": Noisy, "recipe": SHORT}, "players": {"make": Players, "recipe": SHORT}}  # for begin and resume
STRIDES = {"players": 6}  # of the calls before which a kill comes: its saves are those of the other toy
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
    answer = kills(**vars(parser.parse_args()))
    print(json.dumps(answer))
    return 1 if answer["different"] else 0


def kills(folder, *, random=0, save_points=False, commands=False, processes=1, seed=0):
    """Numbers of killed runs, of those killed while alive, of folder states tried at save points,
    how many runs went on, and which ended in other bytes.
    """
    folder, rng = Path(folder), Random(seed)
    commit()  # asked of git once, and not by every run
    if commands:
        report.write_report = lambda folder, **_: folder / "report.html"  # comes after everything that is killed here
    answer = {"kills": 0, "killed_while_alive": 0, "states": 0, "runs": 0, "different": []}
    for toy in ("command",) if commands else TOYS:
        folders = [folder / f"{toy}-{name}" for name in (("cold", "warm") if random else ()) + ("straight",)]
        # the quickest of three: the first pays for what is cold, and a kill that comes too late proves nothing
        seconds, wanted = min(_timed(toy, folder, processes) for folder in folders), remains(folders[-1])

        def compare(killed, words, toy=toy, wanted=wanted):
            twin = killed.with_name("again")
            if killed.exists() and not begun(killed):
                shutil.copytree(killed, twin)
            for one, resuming in ((killed, True), (twin, False)):
                if one is killed or one.exists():
                    run(toy, one, processes, resuming=resuming)
                    answer["runs"] += 1
                    if remains(one) != wanted:
                        answer["different"].append(f"{toy}: {words}, {'--resume' if resuming else 'the same command again'}")
                    shutil.rmtree(one)

        alive = 0
        while alive < random:
            after = rng.uniform(0.0, seconds)
            found = run(toy, folder / "run", processes, kill_after=after)
            seconds = seconds if found else after  # too late: the machine is quicker now
            alive += found
            answer["kills"] += 1
            answer["killed_while_alive"] += found
            compare(folder / "run", f"random kill {answer['kills']} after {after:.4f} s")
        if save_points or commands:
            run(toy, folder / "run", processes, states=folder / "states")
            for state in sorted((folder / "states").iterdir()):
                if not answer["different"] and not (commands and begun(state)):
                    answer["states"] += 1
                    compare(state, f"killed before call {state.name}")
            shutil.rmtree(folder / "run")
            shutil.rmtree(folder / "states")
    return answer


def kills_without_generators(folder):
    """A run that goes on without its generator ends in other bytes: what `kills` must say."""
    snapshot.set_torch_states = lambda states: None
    return kills(folder, save_points=True)


def _timed(toy, folder, processes):
    begun = time.perf_counter()
    run(toy, folder, processes)
    return time.perf_counter() - begun


def begun(folder):
    """Whether there is a checkpoint to go on from."""
    return any((folder / "checkpoints").glob("step-*"))


def run(toy, folder, processes, kill_after=None, die_at=None, states=None, resuming=True):
    """Train in forked processes, to the end or to the kill. Whether the kill found the run alive.

    die_at: words of the call of rank 0 before which it kills itself. states: where what a kill would leave is copied to.
    resuming: whether a folder without a checkpoint is given to --resume, or to the same command again.
    """
    children = [
        fork(lambda rank=rank: _trained(toy, folder, resuming, *((die_at, states) if rank == 0 else ())), environment)
        for rank, environment in ranks_of(processes).items()
    ]
    if kill_after is not None:
        time.sleep(kill_after)
        for child in children:
            os.kill(child, signal.SIGKILL)
    codes = codes_of(children)
    killed = any(code < 0 for code in codes)
    if not killed and any(codes):
        raise SystemExit(f"a run of {toy} failed: {codes}")
    return killed


def _trained(toy, folder, resuming, die_at=None, states=None):
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    seen, stride = set(), STRIDES.get(toy, 1)

    def before(call, what):
        if die_at and all(word in what for word in die_at):
            os.kill(os.getpid(), signal.SIGKILL)
        if states and call % stride == 0 and folder.exists() and (content := _content(folder)) not in seen:
            seen.add(content)
            shutil.copytree(folder, states / f"{call:04d}")

    if die_at or states:
        _before_calls(folder, before)
    _train(toy, folder, resuming)


def _content(folder):
    """Every path below a folder, and the bytes of the files."""
    return tuple((str(path), path.is_file() and path.read_bytes()) for path in sorted(folder.rglob("*")))


def _train(toy, folder, resuming):
    going_on = begun(folder) or resuming and (folder / "recipe.json").exists()
    if toy == "command":
        if main_of_the_wing(["train", *(("--resume", str(folder)) if going_on else (*COMMAND, "--run", str(folder))), "--cpu"]):
            raise SystemExit("the command failed")
    elif going_on:
        resume(folder, **TOYS[toy]).train()
    else:
        begin(folder, **TOYS[toy]).train()


def _before_calls(folder, act):
    """From now on act(number, what) comes right before each of the calls that change files for good; what: "rename /run/file".

    Files that are opened count until there is a checkpoint; what is written later is written aside, or cut on going on.
    """
    calls, acting, one = 0, False, threading.RLock()  # a checkpoint is written by a thread: it waits while a state is copied

    def watched(function):
        def call(*arguments, **keywords):
            nonlocal calls, acting
            mode = str(keywords.get("mode", arguments[1:2]))  # to open a file for reading changes nothing
            with one:
                if not acting and (function.__name__ != "open" or not (set("wa+").isdisjoint(mode) or begun(folder))):
                    calls, acting = calls + 1, True
                    act(calls, f"{function.__name__} {arguments[0]}")
                    acting = False
                return function(*arguments, **keywords)

        return call

    for module, name in CALLS:
        setattr(module, name, watched(getattr(module, name)))


if __name__ == "__main__":
    sys.exit(main())
