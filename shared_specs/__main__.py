"""python -m shared_specs list | show | check | exercise | grade | schedule | export : contracts of both wings, and of your code.

Exit codes: 0 everything holds, 1 a row fails, 2 usage, 3 bad data. Errors are one line; --debug shows the traceback.
"""

import contextlib
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.output import print_course, print_json
from shared_specs.commands.parsing import parse
from shared_specs.commands.program import BAD_DATA, exit_code
from shared_specs.commands.topics import only_built, topics_named
from shared_specs.grading.against_options import only_with_against, terms
from shared_specs.syllabus import load

PROGRAM = "python -m shared_specs"
LONGEST, LARGEST = 86_400.0, 2**20  # seconds, MiB

Topics = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TOPIC ...]")]

Repeated = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(frozen=True)
class List:
    """Show the course: lectures, topics, and what is built."""

    json: bool = False
    """Print JSON instead of a table."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Show:
    """Show a topic's functions: formulas, rows, and near misses that must be rejected."""

    topic: Annotated[str, tyro.conf.Positional]
    """family/topic, or a unique part of it."""
    only: str | None = None
    """Show this function only."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Check:
    """Check the contracts of both wings, or of your own file."""

    topics: Topics = ()
    """Each: family/topic, a unique part of it, or a lecture number. Without any: every built topic."""
    backend: Literal["jax", "torch"] | None = None
    """Check this wing only."""
    against: Path | None = None
    """Your own Python file; its functions, in NumPy, JAX or PyTorch, are checked by name in place of the wings'."""
    strict: bool = False
    """With --against: accepted bad input and rows at the edge of float32 count as failures."""
    rename: Annotated[Repeated, tyro.conf.arg(metavar="OURS=YOURS")] = ()
    """With --against: your name for a function or an argument (q=query). Can be repeated."""
    precision: Literal["float64", "float32"] | None = None
    """With --against: check this precision only."""
    values_only: bool = False
    """With --against: compare values, not gradients."""
    without_gradient: Annotated[Repeated, tyro.conf.arg(metavar="ARGUMENT")] = ()
    """With --against: a constant argument, for which no gradient is compared (alpha_bar). Can be repeated."""
    recorded: bool = False
    """With --against: judge values by recorded answers, without JAX and quickly; the default where JAX is not installed."""
    memory_mib: int | None = None
    """With --against: memory limit of one call, beyond what the process already uses (Linux)."""
    compiled: bool = False
    """Compile every row of the JAX wing with XLA, not only the first of every function."""
    json: bool = False
    """Print JSON instead of a table (progress goes to stderr)."""
    verbose: bool = False
    """Also print every comparison, the rows with a wider tolerance, and tolerances that are wider than needed."""
    jobs: int = 0
    """Number of processes; 0: one for each core, at most 8."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Exercise:
    """Write a stub of a topic's functions for you to fill in."""

    topic: Annotated[str, tyro.conf.Positional]
    """family/topic, or a unique part of it."""
    output: Path | None = None
    """The file to write (default: <topic>_exercise.py here). An existing file is never overwritten."""
    backend: Literal["numpy", "jax", "torch"] | None = None
    """Framework of the exercise; without it, numpy, or jax where a function takes derivatives."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Grade:
    """Mark a filled-in exercise, or a folder of them, in separate processes with limits on time, memory and output."""

    file: Annotated[Path, tyro.conf.Positional]
    """The Python file with your functions; or a folder, of which each file or sub-folder is one student's."""
    topic: str | None = None
    """The topic; without it, the TOPIC in the file."""
    rubric: Path | None = None
    """With a folder: a TOML file with the topic, the functions that count, and their points."""
    csv: Path | None = None
    """With a folder: the file of marks to write, a line a student. An interrupted marking goes on from what is next to it."""
    feedback: Path | None = None
    """With a folder: where to write a page for each student."""
    jobs: int = 0
    """With a folder: number of processes; 0: one for each core, at most 8."""
    only: Annotated[str | None, tyro.conf.arg(metavar="FUNCTION")] = None
    """Mark this function only, with the laws that need no other."""
    strict: bool = False
    """Accepted bad input and rows at the edge of float32 count as failures."""
    hints: bool = False
    """List frequent mistakes of the functions that fail."""
    solution: Annotated[str | None, tyro.conf.arg(metavar="FUNCTION")] = None
    """Mark this function only, and print its code in both wings, if the file has an attempt at it."""
    seconds: float = 20.0
    """Time limit of one call, in seconds."""
    memory_mib: int = 2048
    """Memory limit of your functions in MiB, beyond what NumPy or the framework uses."""
    recorded: bool = False
    """Mark values by recorded answers, without JAX and quickly; the default where JAX is not installed."""
    json: bool = False
    """Print JSON instead of a table."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Schedule:
    """Print the lectures by weeks, with prerequisites, exercises and trainings, as Markdown."""

    weeks: int | None = None
    """Number of weeks (default: two lectures a week)."""
    start: Annotated[str | None, tyro.conf.arg(metavar="DATE")] = None
    """The first day of the first week, such as 2027-01-11."""
    csv: bool = False
    """Print comma-separated values for a spreadsheet, a line for each topic."""
    json: bool = False
    """Print JSON instead."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Export:
    """Write inputs, float64 answers, gradients and tolerances as safetensors and JSON, for any language."""

    directory: Annotated[Path, tyro.conf.Positional]
    """A new or empty folder."""
    topics: tuple[str, ...] = ()
    """Topics to export; without any, every built topic."""
    archive: Annotated[Path | None, tyro.conf.arg(metavar="FILE.tar.xz")] = None
    """Also write the folder as one archive, and its SHA-256 next to it."""
    debug: bool = False
    """Show the traceback of an error."""


COMMANDS = {"list": List, "show": Show, "check": Check, "exercise": Exercise, "grade": Grade}
COMMANDS |= {"schedule": Schedule, "export": Export}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return exit_code(lambda: _run(words), words, _known)


def _run(words):
    command = parse(COMMANDS, words, __doc__, PROGRAM)
    _libraries_before_the_working_directory()
    return DOES[type(command)](command)


def _known(error):
    from shared_specs.checking.implementation import Fault
    from shared_specs.checking.recorded import NotRecorded

    return (BAD_DATA, str(error)) if isinstance(error, Fault | NotRecorded) else None


def _libraries_before_the_working_directory():
    """Moves the directory that `python -m` puts first on the path to its end: there, a user's torch.py does not hide PyTorch."""
    here = Path.cwd()
    if not (here / "shared_specs").is_dir():
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here] + [str(here)]


def _list(command):
    print_course(command.json)
    return 0


def _show(command):
    from shared_specs.commands.show import lines
    from shared_specs.grading.against import functions_of

    topic = _one_topic(command.topic)
    names = list(functions_of(topic))
    if command.only is not None and command.only not in names:
        raise UsageError(f"--only {command.only}: {topic} has no such function; there are {', '.join(names)}")
    print("\n".join(lines(topic, load().topics[topic].title, command.only)))
    return 0


def _check(command):
    from shared_specs.checking.wings import check_in_processes

    if command.jobs < 0:
        raise UsageError(f"--jobs {command.jobs}: give 0 (one process for each core) or a positive number")
    if command.against and command.backend:
        raise UsageError("--against and --backend exclude each other: give one of them")
    if command.against and command.compiled:
        raise UsageError("--compiled applies to the JAX wing: leave it out with --against FILE")
    if not command.against and (flag := only_with_against(command)):
        raise UsageError(f"{flag} needs --against FILE")
    topics = asked(command.topics)
    began = time.perf_counter()
    if command.against:
        judged = _against(command, topics)
        seconds = time.perf_counter() - began
        return _report(command, judged.touched, judged.results, seconds, judged.not_judged, excuse_edges=not command.strict)
    backends = (command.backend,) if command.backend else ("torch", "jax")
    results = check_in_processes(topics, backends, command.jobs, command.compiled)
    return _report(command, topics, results, time.perf_counter() - began)


def asked(texts: Sequence[str]) -> list[str]:
    """The paths of the selected built topics.  Raises UsageError for a topic that is unknown or only planned."""
    if not texts:
        return [topic.path for topic in load().built]
    return [topic.path for topic in only_built(topics_named(texts))]


def _against(command, topics):
    from shared_specs.grading.against import UnknownName, check_file, examples

    try:
        judged = check_file(command.against, topics, strict=command.strict, terms=terms(command))
    except UnknownName as error:
        raise UsageError(str(error)) from None
    if not judged.touched:
        where = ", ".join(topics) if command.topics else "any built topic"
        raise UsageError(
            f"{command.against} defines no function of {where} (such as {examples(topics[0])}); "
            "--rename OURS=YOURS checks a function that has another name in your file"
        )
    for remark in judged.remarks:
        print(remark, file=sys.stderr)
    return judged


def _report(command, topics, results, seconds, not_judged=(), excuse_edges=False):
    from rich.console import Console

    from shared_specs.checking.check import spec_of
    from shared_specs.commands.report import as_data, failures, lecture_lines, table, unused, verdict
    from shared_specs.terminal import print_table

    specs = {topic: spec_of(topic) for topic in topics}
    data = as_data(specs, results, seconds, excuse_edges) | {"not_judged": list(not_judged)}
    if command.json:
        print_json(data)
        return 0 if data["passed"] else 1
    console = Console(highlight=False)
    if command.verbose:
        for r in results:
            mark = "ok  " if r.passed else "FAIL"
            what = f"{r.topic}  {r.word} {r.function} ({r.case})  {r.backend} {r.precision}  {r.quantity}"
            console.print(f"{mark} {r.ratio:8.4f}  {what}", markup=False, soft_wrap=True)
        for note in data["notes"]:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
    print_table(table(data["topics"]), console)
    for line in failures(results):
        console.print(line, markup=False, soft_wrap=True)
    for line in lecture_lines(specs, results) if command.against else ():
        console.print(line, markup=False, soft_wrap=True)
    if loose := len(unused(results)):
        console.print(f"{loose} tolerances are more than 100 times wider than the largest error (--verbose lists them)")
    console.print(verdict(results, data), markup=False, soft_wrap=True)
    return 0 if data["passed"] else 1


def _one_topic(text):
    """The selected built topic."""
    paths = asked((text,))
    if len(paths) > 1:
        raise UsageError(f"{text} has several topics: name one of {', '.join(paths)}")
    return paths[0]


def _exercise(command):
    from shared_specs.backends import installed
    from shared_specs.commands.extras import without_framework
    from shared_specs.grading.against import functions_of
    from shared_specs.grading.exercise import in_order, stub

    topic = _one_topic(command.topic)
    output = command.output or Path(f"{topic.split('/')[1]}_exercise.py")
    names = in_order(topic, list(functions_of(topic)))
    try:
        text = stub(topic, load().topics[topic].title, names, output, command.backend)
    except LookupError as error:
        raise UsageError(error.args[0]) from None
    try:
        with open(output, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} exists already and is not overwritten; give another name with --output") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise UsageError(f"cannot write {str(output)!r}: {getattr(error, 'strerror', None) or error}") from None
    print(f"wrote {output}: {len(names)} functions to fill in; then run: {PROGRAM} grade {shlex.quote(str(output))}")
    if missing := next((name for name in ("jax", "torch") if f"\nimport {name}\n" in text and name not in installed()), None):
        print(without_framework(f"it imports {missing}: No module named {missing!r}"), file=sys.stderr)
    return 0


def _grade(command):
    from shared_specs.commands.grade_folder import OF_A_FOLDER, flag_of, grade_folder
    from shared_specs.grading.against import functions_of
    from shared_specs.grading.declared import ROOT, WINGS, declared
    from shared_specs.grading.exercise import in_order, topic_of
    from shared_specs.grading.grade import Limits, grade
    from shared_specs.grading.marks import as_data, attempted, passes, print_marks
    from shared_specs.grading.recorded_answers import NOT_RECORDED, judges_by_record

    if not 0 < command.seconds <= LONGEST:
        raise UsageError(f"--seconds {command.seconds}: it must be positive, and at most {LONGEST:g} (a day)")
    if not 0 < command.memory_mib <= LARGEST:
        raise UsageError(f"--memory-mib {command.memory_mib}: it must be positive, and at most {LARGEST} (a tebibyte)")
    limits = Limits(call_seconds=command.seconds, memory=command.memory_mib * 2**20)
    if command.file.is_dir():
        return grade_folder(command, limits, _one_topic, _progress)
    if flag := flag_of(command, OF_A_FOLDER):
        raise UsageError(f"{flag} marks a folder of submissions, and {command.file} is not a folder")
    text = command.topic or topic_of(command.file)
    if not isinstance(text, str):
        raise UsageError(f'{command.file} has no line TOPIC = "family/topic"; name the topic with --topic')
    topic = _one_topic(text)
    functions = in_order(topic, list(functions_of(topic)))
    if command.only and command.solution not in (None, command.only):
        raise UsageError(f"--solution {command.solution} marks that function only: leave out --only {command.only}")
    only = command.solution or command.only
    if only not in (None, *functions):
        option = "solution" if command.solution else "only"
        raise UsageError(f"--{option} {only}: {topic} has no such function; {nearest(only, functions)}")
    recorded = judges_by_record(command.recorded)
    with _progress(f"grading {topic}") as progress:
        results = grade(command.file, topic, limits, only and (only,), progress, recorded)
    if command.solution and not attempted(results, only):
        said = f"{command.file} has no attempt at it yet: write one, right or wrong, in place of NotImplementedError"
        raise UsageError(f"--solution {only}: {said}; then ask again")
    if command.json:
        print_json(as_data(topic, functions, results, command.strict))
    else:
        print_marks(topic, functions, results, command.strict, command.hints)
        if recorded:
            print(f"not judged: {NOT_RECORDED}")
        for wing in WINGS if command.solution else ():
            solution = declared(topic, only, wing)
            print(f"\n{solution.file.relative_to(ROOT)}, line {solution.node.lineno}:\n\n{solution.source()}")
    return int(not passes(results, command.strict))


@contextlib.contextmanager
def _progress(title):
    """A bar on stderr, as a function of how much is done of how much."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _schedule(command):
    from shared_specs.commands.schedule import markdown, schedule, table

    if command.csv and command.json:
        raise UsageError("--csv and --json are two formats: give one of them")
    rows = schedule(command.weeks, command.start)
    if command.json:
        print_json({"schedule": rows})
    else:
        print(table(rows) if command.csv else markdown(rows))
    return 0


def _export(command):
    from shared_specs.commands.archive import archive
    from shared_specs.commands.export import export

    if command.archive and not command.archive.name.endswith(".tar.xz"):
        raise UsageError(f"--archive {command.archive}: its name must end in .tar.xz")
    topics = asked(command.topics)
    manifest = export(topics, command.directory, lambda topic: print(topic, file=sys.stderr))
    print(f"wrote {command.directory}: {len(topics)} topics, {len(manifest['files'])} files and manifest.json")
    if command.archive:
        digest = archive(command.directory, command.archive)
        print(f"wrote {command.archive}: {command.archive.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
    return 0


DOES = {List: _list, Show: _show, Check: _check, Exercise: _exercise, Grade: _grade, Schedule: _schedule, Export: _export}


if __name__ == "__main__":
    sys.exit(main())
