"""The command line of practice_torch: commands, their options, and errors of one line."""

import contextlib
import dataclasses
import difflib
import io
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from typing import Annotated, get_type_hints

import tyro

PROGRAM = "python -m practice_torch"


class UsageError(Exception):
    """A usage error, reported in one line."""


@dataclass(frozen=True)
class List:
    """Show what can be trained: topics, their recipes, and which have a study. With TOPICs only those.

    `list --sizes [TOPIC ...]` measures what each recipe takes: parameters, operations of a step, memory, hours.
    """

    topics: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Only these: family/topic, a unique part of it, or a lecture number."""
    sizes: bool = False
    """What each recipe takes at full size, and what was published: from shapes alone, a second a recipe, nothing is loaded."""
    json: bool = False
    """Print JSON instead of a table."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Train:
    """Train a recipe of a topic: train TOPIC RECIPE [--field value ...], or go on with a stopped run: train --resume RUN.

    TOPIC is family/topic, a unique part of it, or a lecture number; `list` shows the topics that train, and their recipes.
    `train TOPIC RECIPE --help` lists the recipe's fields; --data, --steps, --seed and --checkpoint-every are among them.
    """

    run: str | None = None
    """The run's folder, missing or empty (default: runs/<topic>-<recipe>-<n>)."""
    resume: str | None = None
    """A stopped run to continue, from its newest checkpoint."""
    cpu: bool = False
    """Train on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Sample:
    """Draw from a trained model, into RUN/samples; text is printed, too: sample RUN [--option value ...].

    `sample RUN --help` lists the options that the model itself has, such as the text to go on from.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """A run folder."""
    count: int = 64
    """Number of samples."""
    seed: int | None = None
    """Seed of the samples, reproducible on the same kind of device; without it, the run's seed."""
    out: str | None = None
    """Another folder to write to."""
    cpu: bool = False
    """Sample on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained model on its held-out data again, and write RUN/evaluation.json.

    `evaluate RUN --samples 500` also judges 500 of its samples: images by Frechet and kernel distance, precision and recall, and
    two tests for copies of the training data; sounds by the Frechet audio distance; text by bits per byte, repetition, and the
    Frechet distance, precision and recall of passages. Features of sounds and passages are hidden layers of small networks, which
    are trained for this in seconds. Each number has a 95% interval, and is next to that of a baseline and of real data.
    RUN/sample_metrics.json holds them.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """A run folder."""
    samples: int | None = None
    """Number of samples to judge, of a finished run; none: the samples are not judged."""
    inception: str | None = None
    """File of the Inception network's weights, pt_inception-2015-12-05-6726825d.pth, whose features of images are compared as in
    published numbers; without it: principal components of the training images.
    """
    study: bool = False
    """Also run the model's study, if it has one: measurements that take longer than an evaluation, written into RUN/study."""
    cpu: bool = False
    """Evaluate on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Report:
    """Write RUN/report.html: curves, samples, and the metric against its target; or one page that compares several runs."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN ...]")]
    """A run folder, or several to compare."""
    out: str | None = None
    """Another file to write to (default: RUN/report.html; for several runs comparison.html next to the first)."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Project:
    """Train the models of a project, judge them together, and write one report: project NAME; without NAME, list the projects.

    The folder holds report.html, the table as results.json, and the run of every model. A project that was stopped goes on where
    the same command is repeated, and ends in the same numbers.
    """

    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = None
    """A project; none, or list: show them."""
    out: str | None = None
    """The folder, missing, empty or that of the same project (default: runs/project-<NAME>)."""
    seed: int = 0
    """Seed of all models: their data's split, first weights and random numbers."""
    data: str | None = None
    """Other data for all models, in the forms that `train TOPIC RECIPE --help` names; nothing is then asserted of the table."""
    json: bool = False
    """Print JSON instead of a table."""
    cpu: bool = False
    """Train on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Prepare:
    """Prepare data that does not fit into memory: prepare MODALITY SOURCES... --out DIR; `prepare --help` says how."""

    debug: bool = False
    """Show the traceback of an error."""


# Commands that take more than is said here, once they know of what: after so many words. `--help` then belongs to that, too.
OPEN = {"train": 2, "sample": 1}
COMMANDS = {
    "list": List,
    "prepare": Prepare,
    "train": Train,
    "sample": Sample,
    "evaluate": Evaluate,
    "report": Report,
    "project": Project,
}


def parse(arguments, description):
    """The command and what else its function takes: the words that belong to a recipe or a model; for train, before them,
    TOPIC and RECIPE, as far as they are given.
    """
    if not arguments:
        raise UsageError(f"which command? {', '.join(COMMANDS)}; --help says what they do")
    name = arguments[0]
    if name not in COMMANDS and not name.startswith("-"):
        raise UsageError(f"unknown command {name!r}; {nearest(name, COMMANDS)}")
    if name.startswith("-"):
        tyro_line(_all_commands(), ["--help"] if name == "-h" else [name], PROGRAM, description=description)
    if name == "prepare":  # whose words commands/preparing.py reads
        return Prepare(), (arguments[1:],)
    words, rest = _leading_words(arguments[1:]), arguments[1:]
    helping = {"-h", "--help"} & set(rest) and len(words) == OPEN.get(name)
    if helping:
        rest = [word for word in rest if word not in ("-h", "--help")]
    if name == "train":
        rest = rest[len(words) :]
    program = f"{PROGRAM} {name}{' TOPIC RECIPE' if name == 'train' else ''}"
    command, unknown = tyro_line(COMMANDS[name], rest, program, return_unknown_args=True)
    if name in OPEN:
        unknown = [*unknown, "--help"] if helping else unknown
        return command, (words, unknown) if name == "train" else (unknown,)
    if unknown:
        raise UsageError(f"unknown argument {unknown[0]!r} of {name}; {nearest(unknown[0], flags(command))}")
    return command, ()


def flags(options):
    """The flags of a dataclass instance, but for those that the command line does not show; of what is on, the one against it."""
    hidden = {name for name, kind in get_type_hints(type(options), include_extras=True).items() if _is_hidden(kind)}
    shown = [field.name for field in dataclasses.fields(options) if field.name not in hidden]
    return [f"--{'no-' if getattr(options, name) is True else ''}{name.replace('_', '-')}" for name in shown]


def _is_hidden(kind):
    marks = getattr(kind, "__metadata__", ())
    return tyro.conf.Suppress in marks or tyro.conf.Positional in marks


def changed(options, words, kind, of, program, **presentation):
    """A frozen dataclass with what the words say in place of its own values. kind: what a value of it is called, `of` what."""
    known = flags(options)
    for word in words:
        flag = word.split("=")[0].replace("_", "-")
        if word.startswith("--") and flag not in known and word != "--help":
            raise UsageError(f"unknown {kind} {word.split('=')[0]} of {of}; {nearest(flag, sorted(known))}")
    result, unknown = tyro_line(type(options), words, program, default=options, return_unknown_args=True, **presentation)
    if unknown:
        raise UsageError(f"{unknown[0]!r} belongs to no {kind} of {of}")
    return result


def _all_commands():
    union = None
    for name, kind in COMMANDS.items():
        one = Annotated[kind, tyro.conf.subcommand(name)]
        union = one if union is None else union | one
    return union


def _leading_words(arguments):
    words = []
    for word in arguments:
        if word.startswith("-"):
            break
        words.append(word)
    return words


def tyro_line(kind, arguments, program, **options):
    """tyro, with its boxed complaint reduced to one line."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, prog=program, args=arguments, config=(tyro.conf.FlagCreatePairsOff,), **options)
    except SystemExit as exit:
        if not exit.code:
            raise
    lines = [line.strip("│ ") for line in complaint.getvalue().splitlines()]
    above = takewhile(lambda line: not _is_rule(line), dropwhile(_is_rule, lines[1:]))
    message = " ".join(" ".join(above).split()).removeprefix("Error parsing ")
    raise UsageError(message.removeprefix(f"{kind.__name__}: ") if isinstance(kind, type) else message)


def _is_rule(line):
    """Where stdout cannot write UTF-8, tyro draws hyphens, and a rule under the title, too."""
    return bool(line) and not line.strip("─╰╯-")


def nearest(word, allowed):
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"it must be one of {', '.join(allowed)}"
