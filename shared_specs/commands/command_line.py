"""Command lines, parsed by tyro, with errors of one line."""

import contextlib
import difflib
import io
import re
from collections.abc import Iterable, Sequence
from itertools import dropwhile, takewhile
from typing import Any, get_args, get_type_hints

import tyro

PROGRAM = "python -m shared_specs"
CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes)


class UsageError(Exception):
    """A usage error, reported in one line."""


def parse(union: Any, arguments: Sequence[str], description: str, program: str = PROGRAM) -> Any:
    """The command that the arguments ask for: one of a union of dataclasses, each annotated with its name."""
    commands = {get_args(kind)[1].name: get_args(kind)[0] for kind in get_args(union)}
    name, *rest = arguments or [""]
    if name.startswith("-"):
        return _in_one_line(union, ["--help"] if name == "-h" else arguments, program, description=description)
    if name not in commands:
        told = f"unknown command {name!r}; {nearest(name, commands)}" if name else f"which command? {', '.join(commands)}"
        raise UsageError(f"{told}; --help says what they do")
    command, unknown = _in_one_line(commands[name], rest, f"{program} {name}", return_unknown_args=True)
    if unknown:
        kinds = get_type_hints(type(command), include_extras=True)
        options = [name for name, kind in kinds.items() if tyro.conf.Positional not in getattr(kind, "__metadata__", ())]
        flags = [f"--{option.replace('_', '-')}" for option in options]
        raise UsageError(f"unknown argument {unknown[0]!r} of {name}; {nearest(unknown[0], flags)}")
    return command


def nearest(word: str, allowed: Iterable[str]) -> str:
    """The nearest allowed word, or all of them."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"it must be one of {', '.join(allowed)}"


def _in_one_line(kind, arguments, program, **options):
    """tyro, with its boxed complaint reduced to what stands above the box's first rule."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, prog=program, args=arguments, config=CONFIG, **options)
    except SystemExit as exit:
        if not exit.code:
            raise
    lines = [line.strip("│ ") for line in complaint.getvalue().splitlines()[1:]]
    above = takewhile(lambda line: not _is_rule(line), dropwhile(_is_rule, lines))
    message = " ".join(" ".join(above).split()).removeprefix("Error parsing ")
    raise UsageError(re.sub(r"'None', |, 'None'", "", message))  # an option's absence is no value to type


def _is_rule(line):
    """Where stdout cannot write UTF-8, tyro draws hyphens, and a rule under the title, too."""
    return bool(line) and not line.strip("─╰╯-")
