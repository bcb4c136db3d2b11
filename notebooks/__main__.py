"""python -m notebooks [--topics "TOPIC ..."] [--execute] : a notebook of every topic, and one with solutions, from the sources.

They are written to build/notebooks, without outputs. --execute runs each in a kernel of its own, with a training of three steps,
and fails if a cell does, or a line of a derivation, or a function of the solutions.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from notebooks.execution import write, write_and_execute
from shared_specs.stopping import Stopped, process_count, unwinding, worker_processes
from shared_specs.syllabus import load, resolve

FOLDER = Path("build/notebooks")


def main(arguments=None):
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m notebooks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topics", default="", help="only these topics, separated by spaces")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder to write to")
    parser.add_argument("--execute", action="store_true", help="execute them, with short trainings, and keep the outputs")
    parser.add_argument("--jobs", type=int, default=process_count(), help="number of processes")
    asked = parser.parse_args(arguments)
    try:
        topics = [topic for text in asked.topics.split() for topic in resolve(text)] or load().built
    except LookupError as error:
        parser.error(error.args[0])
    if planned := [topic.path for topic in topics if not topic.built]:
        parser.error(f"{', '.join(planned)}: planned, not built yet")
    try:
        with unwinding():
            return _made([topic.path for topic in topics], asked)
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code


def _made(paths, asked):
    began, errors = time.perf_counter(), []
    does = write_and_execute if asked.execute else write
    os.environ["OMP_NUM_THREADS"] = "1"  # a process a core, each with one thread
    with worker_processes(max(1, min(asked.jobs, len(paths)))) as pool:
        for running in [pool.submit(does, path, asked.to) for path in paths]:
            words, wrong = running.result()
            print(words, *wrong, sep="\n", flush=True)
            errors += wrong
    print(
        f"{asked.to}: {2 * len(paths)} notebooks, {time.perf_counter() - began:.0f} s{f', {len(errors)} errors' * bool(errors)}"
    )
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
