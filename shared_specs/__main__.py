"""python -m shared_specs list | check | exercise | grade | export : what must hold of both wings, and of your own code.

Exit codes: 0 everything holds, 1 a row fails, 2 usage, 3 bad data.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal

import tyro

from shared_specs.syllabus import load, resolve

PRECISIONS = ("float64", "float32")


class UsageError(Exception):
    """One line for the person at the keyboard."""


Topics = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TOPIC ...]")]


@dataclass(frozen=True)
class List:
    """Show the course: lectures, topics, and what is built."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Check:
    """Check the contracts on both backends, or on a file of yours."""

    topics: Topics = ()
    """Each: family/topic, a unique part of it, or a lecture number. Without any: everything that is built."""
    backend: Literal["jax", "torch"] | None = None
    """Only this wing."""
    against: Path | None = None
    """A Python file of yours: its functions of catalogue names, in NumPy, JAX or PyTorch, take the wings' place."""
    json: bool = False
    """Print JSON instead of a table (progress goes to stderr)."""
    verbose: bool = False
    """Also print every comparison, the rows that asked for a wider tolerance, and tolerances that nothing uses."""
    jobs: int = 0
    """Processes to use; 0 means one for each core."""
    debug: bool = False
    """Show the traceback of an error."""


Command = Annotated[List, tyro.conf.subcommand("list")] | Annotated[Check, tyro.conf.subcommand("check")]


def main(arguments=None):
    """Returns the exit code."""
    command = tyro.cli(
        Command,
        prog="python -m shared_specs",
        description=__doc__,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )
    from shared_specs.implementation import Fault

    try:
        return _list(command) if isinstance(command, List) else _check(command)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Fault as error:
        if command.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 3
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _list(command):
    topics = load().topics.values()
    if command.json:
        rows = [{"topic": t.path, "title": t.title, "lectures": list(t.lectures), "state": _state(t)} for t in topics]
        print(json.dumps({"topics": rows}, indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title, justify in (("lecture", "right"), ("topic", "left"), ("title", "left"), ("", "left")):
        table.add_column(title, justify=justify, no_wrap=title != "title")
    for topic in topics:
        state = f"[{'green' if topic.built else 'dim'}]{_state(topic)}[/]"
        table.add_row(", ".join(map(str, topic.lectures)) or "-", topic.path, topic.title, state)
    Console().print(table)
    return 0


def _state(topic):
    return "built" if topic.built else "planned"


def _check(command):
    if command.jobs < 0:
        raise UsageError(f"--jobs {command.jobs}: give 0 (one process for each core) or a positive number")
    if command.against and command.backend:
        raise UsageError("--against takes the place of a backend: give one of --against and --backend")
    topics = asked(command.topics)
    began = time.perf_counter()
    if command.against:
        results, topics = _against(command.against, topics, named=bool(command.topics))
    else:
        backends = (command.backend,) if command.backend else ("torch", "jax")
        results = _in_processes([(topic, backends) for topic in topics], command.jobs)
    return _report(command, topics, results, time.perf_counter() - began)


def asked(texts):
    """The paths of the built topics that are meant.  Raises UsageError for one that is unknown, or planned only."""
    if not texts:
        return [topic.path for topic in load().built]
    paths = {}
    for text in texts:
        try:
            found = resolve(text)
        except LookupError as error:
            raise UsageError(error.args[0]) from None
        paths |= {topic.path: topic.built or (Path(__file__).parent / f"{topic.path}.py").is_file() for topic in found}
    planned = [path for path, built in paths.items() if not built]
    if len(planned) == len(paths):
        raise UsageError(f"nothing to check: {', '.join(planned)} is planned, not built yet")
    for path in planned:
        print(f"{path}: planned, not built yet", file=sys.stderr)
    return [path for path, built in paths.items() if built]


def check_wings(task):
    """Every row of one topic on the asked wings, in both precisions: what one process does."""
    from shared_specs.check import check_topic
    from shared_specs.reference import wing

    topic, backends = task
    return [r for name in backends for precision in PRECISIONS for r in check_topic(topic, wing(name, topic, precision))]


def _in_processes(tasks, jobs):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    workers = min(jobs or len(os.sched_getaffinity(0)), len(tasks))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("checking", total=len(tasks))
        if workers == 1:
            for task in tasks:
                progress.update(bar, description=task[0])
                results += check_wings(task)
                progress.advance(bar)
            return results
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            for task, found in zip(tasks, pool.map(check_wings, tasks), strict=True):
                results += found
                progress.update(bar, advance=1, description=task[0])
    return results


def _one_thread():
    """A process a core, each on one thread: they would only stand in each other's way."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _against(path, topics, named):
    from shared_specs.against import defined_in, functions_of, implementation_of, load_module
    from shared_specs.check import MISSING, check_topic

    module = load_module(path)
    touched = [topic for topic in topics if defined_in(module, topic)]
    if not touched:
        example = ", ".join(list(functions_of(topics[0]))[:3])
        where = topics[0] if named else "any built topic"
        raise UsageError(f"{path} defines no function of {where} (looked for, among others: {example})")
    results = []
    for topic in touched:
        for precision in PRECISIONS:
            results += check_topic(topic, implementation_of(module, topic, precision))
        lacking = [name for name in functions_of(topic) if name not in defined_in(module, topic)]
        if lacking:
            print(f"{topic}: not in {path}, so not checked: {', '.join(lacking)}", file=sys.stderr)
    if results and results[0].backend == "numpy":
        print("NumPy has no gradients: values are checked, gradients are not", file=sys.stderr)
    return [result for result in results if result.quantity != MISSING], touched


def _report(command, topics, results, seconds):
    from rich.console import Console

    from shared_specs.check import spec_of
    from shared_specs.report import as_data, failures, notes, summary, table

    specs = {topic: spec_of(topic) for topic in topics}
    data = as_data(specs, results, seconds)
    if command.json:
        print(json.dumps(data, indent=1, allow_nan=False))
        return 0 if data["passed"] else 1
    console = Console(highlight=False)
    if command.verbose:
        for r in results:
            mark = "ok  " if r.passed else "FAIL"
            console.print(f"{mark} {r.ratio:8.4f}  {r.topic}  {r.word} {r.function} ({r.case})  {r.backend} {r.precision}  {r.quantity}", markup=False, soft_wrap=True)
        for note in notes(specs, results):
            console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(table([summary(topic, specs[topic], [r for r in results if r.topic == topic]) for topic in topics]))
    for line in failures(results):
        console.print(line, markup=False, soft_wrap=True)
    failed = sum(not r.passed for r in results)
    console.print(f"{len(results)} comparisons in {seconds:.1f} s: {f'{failed} FAILED' if failed else 'all hold'}", markup=False)
    return 0 if data["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
