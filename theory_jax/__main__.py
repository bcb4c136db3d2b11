"""python -m theory_jax list | run TOPIC... : the derivations, shown and executed.

Exit codes: 0 every step holds, 1 a step failed, 2 usage.
"""

import contextlib
import importlib
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from shared_specs.syllabus import load, resolve

HERE = Path(__file__).parent


class UsageError(Exception):
    """One line for the person at the keyboard."""


@dataclass(frozen=True)
class List:
    """Show the course: lectures, topics, and which derivations are built."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Run:
    """Execute derivations and print them as pages."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, or a lecture number."""
    all: bool = False
    """Every derivation that is built."""
    json: bool = False
    """Print JSON instead of pages (progress goes to stderr)."""
    debug: bool = False
    """Show the traceback of an error."""


Command = Annotated[List, tyro.conf.subcommand("list")] | Annotated[Run, tyro.conf.subcommand("run")]


def main(arguments=None):
    """Returns the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without these characters still gets its page
    command = tyro.cli(
        Command,
        prog="python -m theory_jax",
        description=__doc__,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        return _list(command) if isinstance(command, List) else _run(command)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


# ---------------------------------------------------------------------------------------------------- list


def _list(command):
    topics = load().topics.values()
    if command.json:
        rows = [
            {"topic": t.path, "title": t.title, "lectures": list(t.lectures), "state": "built" if _is_built(t) else "planned"}
            for t in topics
        ]
        print(json.dumps({"topics": rows}, indent=2))
        return 0
    from rich.table import Table
    from rich.text import Text

    from theory_jax.page import console_of_the_page

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("lecture", justify="right")
    table.add_column("topic", no_wrap=True)
    table.add_column("title")
    table.add_column("", no_wrap=True)
    for topic in topics:
        state = Text("built", style="green") if _is_built(topic) else Text("planned", style="dim")
        table.add_row(", ".join(map(str, topic.lectures)) or "-", topic.path, topic.title, state)
    console_of_the_page().print(table)
    return 0


# ---------------------------------------------------------------------------------------------------- run


def _run(command):
    asked = _asked(command)
    # a topic that is being written has its file before the syllabus calls it built: whoever names it may run it
    there = [topic for topic in asked if topic.built or _is_written(topic)]
    planned = [topic.path for topic in asked if topic not in there]
    if not there:
        names = "no topic" if command.all else ", ".join(planned)
        raise UsageError(f"nothing to run: {names} is {'built yet' if command.all else 'planned, not built yet'}")
    for path in planned:
        print(f"{path}: planned, not built yet", file=sys.stderr)
    records = []
    for number, topic in enumerate(there, start=1):
        if len(there) > 1 or command.json:
            print(f"[{number}/{len(there)}] {topic.path}", file=sys.stderr, flush=True)
        records.append(_record(topic, command))
    if command.json:
        print(json.dumps({"derivations": records, "planned": planned}, indent=2, ensure_ascii=False, allow_nan=False))
    elif len(records) > 1:
        from theory_jax.page import print_summary

        print_summary(records)
    return 0 if all(record["passed"] for record in records) else 1


def _asked(command):
    if command.all and command.topics:
        raise UsageError("--all already means every topic: name none beside it")
    if not (command.all or command.topics):
        raise UsageError("run what? name topics (family/topic, a part of it, a lecture number) or say --all")
    if command.all:
        return load().built
    topics = {}
    for text in command.topics:
        try:
            topics |= {topic.path: topic for topic in resolve(text)}
        except LookupError as error:
            raise UsageError(error.args[0]) from None
    return list(topics.values())


def _is_written(topic):
    return (HERE / f"{topic.path}.py").is_file()


def _is_built(topic):
    return topic.built and _is_written(topic)


def _record(topic, command):
    """Run one derivation, print its page, and return what the JSON says of it."""
    began = time.perf_counter()
    record = {"topic": topic.path, "title": topic.title, "lectures": list(topic.lectures), "sources": []}
    try:
        # what a step prints belongs to the reader, not into the JSON
        with contextlib.redirect_stdout(sys.stderr):
            derivation = importlib.import_module("theory_jax." + topic.path.replace("/", ".")).derivation
            results = derivation.run(debug=command.debug)
    except Exception as error:
        if command.debug:
            raise
        words = f"{type(error).__name__}: {error}"
        print(f"error: {topic.path} does not run: {words}", file=sys.stderr)
        return record | {"passed": False, "seconds": time.perf_counter() - began, "error": words, "steps": []}
    record |= {"title": derivation.title, "lectures": list(derivation.lectures), "sources": list(derivation.sources)}
    record |= {
        "passed": all(result.passed for result in results),
        "seconds": time.perf_counter() - began,
        "error": "",
        "steps": [_step(result) for result in results],
    }
    if not command.json:
        from theory_jax.page import print_page

        print_page(derivation, results, topic=topic.path)
    return record


def _step(result):
    step = result.step
    residual = result.residual
    return {
        "name": step.name,
        "kind": step.kind,
        "claim": step.claim,
        "because": step.because,
        "residual": residual if residual is not None and math.isfinite(residual) else None,
        "tolerance": step.tolerance,
        "since": step.since,
        "passed": result.passed,
        "error": result.error,
    }


if __name__ == "__main__":
    sys.exit(main())
