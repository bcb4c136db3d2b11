"""python -m theory_jax list | run TOPIC... | mutate TOPIC... : print and execute derivations, and measure what they notice.

Exit codes: 0 every claim holds, 1 a claim failed, 2 usage.
"""

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from shared_specs.commands.command_line import UsageError, parse
from shared_specs.commands.extras import remedy
from shared_specs.stopping import Stopped, unwinding
from shared_specs.syllabus import BOOK, load, resolve
from shared_specs.terminal import failed_output, forget_output, replace_unwritable
from theory_jax.derivation.loading import LECTURES, derivation_of, lemmas
from theory_jax.pages.records import records_in_order, records_in_processes


@dataclass(frozen=True)
class List:
    """Show the course: lectures, topics, and which derivations are built."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Run:
    """Execute derivations and print them as pages."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, a lecture number, or lemmas/NAME."""
    all: bool = False
    """Run every derivation, those of the lemmas included."""
    json: bool = False
    """Print JSON instead of pages (progress goes to stderr): front matter and claims, mathematics in LaTeX."""
    html: Path | None = None
    """Write an HTML page to this file, or with several topics to this folder, instead of printing."""
    tex: Path | None = None
    """Write a TeX page to this file, with its figures next to it, or with several topics to this folder, instead of printing."""
    jobs: int = 1
    """With --json: number of processes; 0: one for each core, at most 8."""
    compiled: bool = False
    """Compile every operation with XLA (slower) instead of evaluating JAX's traces with NumPy."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Mutate:
    """Change every expression and every step of derivations at one place, and list the changes that go unnoticed."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, a lecture number, or lemmas/NAME."""
    all: bool = False
    """Mutate every derivation (minutes)."""
    json: bool = False
    """Print JSON: for each topic how many mutants there were, and those that survived."""


Command = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Mutate, tyro.conf.subcommand("mutate")]
)


def main(arguments=None):
    """Returns the exit code."""
    replace_unwritable()
    try:
        command = parse(Command, sys.argv[1:] if arguments is None else arguments, __doc__, "python -m theory_jax")
        does = {List: _list, Mutate: _mutate, Run: _run}
        with unwinding():
            code = does[type(command)](command)
        sys.stdout.flush()  # a full disk is noticed here, and not when Python ends
        return code
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not (line := remedy(error)):
            raise
        print(f"error: {line}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        forget_output()
        return 1
    except OSError as error:
        if not (line := failed_output(error)):
            raise
        print(f"error: {line}", file=sys.stderr)
        return 3


# ---------------------------------------------------------------------------------------------------- list


def _list(command):
    topics = load().topics.values()
    if command.json:
        rows = [
            {"topic": t.path, "title": t.title, "lectures": list(t.lectures), "state": "built" if t.built else "planned"}
            for t in topics
        ]
        print(json.dumps({"topics": rows}, indent=2))
        return 0
    from rich.table import Table
    from rich.text import Text

    from shared_specs.terminal import print_table
    from theory_jax.pages.console import console_of_the_page

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("lecture", justify="right")
    table.add_column("topic", no_wrap=True)
    table.add_column("title")
    table.add_column("", no_wrap=True)
    for topic in topics:
        state = Text("built", style="green") if topic.built else Text("planned", style="dim")
        table.add_row(", ".join(map(str, topic.lectures)) or "-", topic.path, topic.title, state)
    console = console_of_the_page()
    print_table(table, console)
    book = f"The course as a book: {os.path.relpath(BOOK)}" if BOOK.is_file() else "`make book` writes the course as a book."
    console.print(book, soft_wrap=True)
    return 0


# ---------------------------------------------------------------------------------------------------- run


def _run(command):
    if command.jobs < 0:
        raise UsageError(f"--jobs is {command.jobs}; it must be 0 (one for each core) or more")
    asked = _asked(command)
    # the lecture on a topic that is being written may be there before its spec
    there = [topic for topic in asked if topic.built or _is_written(topic)]
    planned = [topic.path for topic in asked if topic not in there]
    if not there:
        names = "no topic" if command.all else ", ".join(planned)
        raise UsageError(f"nothing to run: {names} is {'built yet' if command.all else 'planned, not built yet'}")
    for path in planned:
        print(f"{path}: planned, not built yet", file=sys.stderr)
    files = _files(command, there)
    how = {"arithmetic": _arithmetic(command.compiled), "debug": command.debug}
    if command.json and command.jobs != 1:
        records = records_in_processes(there, jobs=command.jobs, **how)
    else:
        records = records_in_order(there, show=None if command.json else lambda *page: _show(files, *page), **how)
    computed_by = "XLA" if command.compiled else "NumPy"
    if command.json:
        answer = {"derivations": records, "planned": planned, "computed_by": computed_by}
        print(json.dumps(answer, indent=2, allow_nan=False))  # in ASCII, which every encoding of stdout can write
    else:
        from theory_jax.pages.terminal import print_summary

        print_summary(records, computed_by)
    return 0 if all(record["passed"] for record in records) else 1


def _files(command, topics):
    """Where pages are written: by ending and topic; empty if they are printed."""
    asked = {name: path for name in ("html", "tex") if (path := getattr(command, name)) is not None}
    if asked and command.json:
        raise UsageError(f"--{next(iter(asked))} writes pages and --json prints records: give one of them")
    return {name: _file_of_each(name, path, topics) for name, path in asked.items()}


def _file_of_each(name, path, topics):
    if len(topics) == 1 and not path.is_dir():
        return {topics[0].path: path}
    if path.suffix or path.is_file():
        raise UsageError(f"--{name} {path} is one file, but {len(topics)} topics were requested: name a folder")
    return {topic.path: path / f"{topic.path.replace('/', '-')}.{name}" for topic in topics}


def _show(files, topic, derivation, results):
    """Print the page of a derivation, or write it to its files."""
    from theory_jax.pages.page import lecture_page

    page = lecture_page(derivation, results, topic=topic, course=load())
    if not files:
        from theory_jax.pages.terminal import print_page

        return print_page(page)
    for name, places in files.items():
        path = places[topic.path]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            (_write_html if name == "html" else _write_tex)(page, path, places)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        print(f"{path}: {page.summary}")


def _write_html(page, path, places):
    from theory_jax.pages.html import html

    links = {other: file.name for other, file in places.items() if other != page.topic}
    path.write_text(html(page, links), encoding="utf-8")


def _write_tex(page, path, places):
    from theory_jax.pages.tex import draw, tex

    figures = [item.part for item in page.items if item.form == "figure"]
    pictures = [path.with_name(f"{path.stem}-figure-{number}.pdf") for number, _ in enumerate(figures, start=1)]
    for figure, picture in zip(figures, pictures, strict=True):
        draw(figure, picture)
    path.write_text(tex(page, [picture.name for picture in pictures]), encoding="utf-8")


# ---------------------------------------------------------------------------------------------------- mutate


def _mutate(command):
    topics = [topic for topic in _asked(command) if topic.built or _is_written(topic)]
    if not topics:
        raise UsageError("nothing to mutate: none of the topics is built yet")
    from theory_jax.derivation.mutation import ENOUGH, mutants

    found = {}
    for number, topic in enumerate(topics, start=1):
        if len(topics) > 1:
            print(f"[{number}/{len(topics)}] {topic.path}", file=sys.stderr, flush=True)
        derivation = derivation_of(topic.path)
        with _arithmetic(compiled=False)():
            found[topic.path] = list(mutants(derivation))
    total = sum(map(len, found.values()))
    survivors = {path: [m for m in those if not m.refused] for path, those in found.items()}
    refused = total - sum(map(len, survivors.values()))
    if command.json:
        topics = {
            path: {"mutants": len(those), "survivors": [{"part": m.name, "change": m.change} for m in survivors[path]]}
            for path, those in found.items()
        }
        print(json.dumps({"topics": topics, "mutants": total, "refused": refused}, indent=2))
    else:
        for path, those in found.items():
            print(f"{path}: {len(those) - len(survivors[path])} of {len(those)} mutants refused")
            for mutant in survivors[path]:
                print(f"  survived in {mutant.name!r}: {mutant.change}")
        if total:
            print(f"{refused} of {total} refused ({refused / total:.1%})")
    return 0 if total and refused >= ENOUGH * total else 1


def _arithmetic(compiled):
    """The context in which steps are executed."""
    if compiled:
        return contextlib.nullcontext
    import jax  # which `list` does not need

    try:
        from shared_specs.backends.jax_eager import by_numpy
    except (ImportError, AttributeError) as error:  # it uses more of JAX than is documented
        raise UsageError(
            f"NumPy cannot run the steps with JAX {jax.__version__} ({error}): use --compiled, or the JAX of constraints.txt"
        ) from None
    return by_numpy


def _asked(command):
    if command.all and command.topics:
        raise UsageError("--all runs every topic: give no topics with it")
    if not (command.all or command.topics):
        raise UsageError("no topic given: name topics (family/topic, a part of it, a lecture number) or use --all")
    of_lemmas = {lemma.path: lemma for lemma in lemmas()}
    if command.all:
        return [*of_lemmas.values(), *load().built]
    topics = {}
    for text in command.topics:
        try:
            topics |= {topic.path: topic for topic in ([of_lemmas[text]] if text in of_lemmas else resolve(text))}
        except LookupError as error:
            raise UsageError(error.args[0]) from None
    return list(topics.values())


def _is_written(topic):
    return (LECTURES / f"{topic.path}.py").is_file()


if __name__ == "__main__":
    sys.exit(main())
