"""Command lines, parsed by tyro into frozen dataclasses, with errors of one line.

The line is read off the box that tyro prints: tyro 1.0.17 has a hook for its errors, tyro._errors.on_parse_error, but the module
is private, "may change or be removed in any release", and is missing from earlier versions, which the requirements allow.
"""

import contextlib
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import Annotated, Any, get_type_hints

from shared_specs.commands.errors import UsageError, nearest


def command_name(commands: Mapping[str, type], arguments: Sequence[str], description: str | None, program: str) -> str:
    """The first word, which must be a command. An option in its place is read as one of the program, such as --help."""
    name = arguments[0] if arguments else ""
    if name.startswith("-"):
        import tyro

        union = None
        for command, kind in commands.items():
            one = Annotated[kind, tyro.conf.subcommand(command)]
            union = one if union is None else union | one
        parsed(union, ["--help"] if name == "-h" else [name], program, description=description)
    if name not in commands:
        mistake = f"unknown command {name!r}; {nearest(name, commands)}" if name else f"which command? {', '.join(commands)}"
        raise UsageError(f"{mistake}; see --help")
    return name


def parse(commands: Mapping[str, type], arguments: Sequence[str], description: str | None, program: str) -> Any:
    """The requested command, an instance of one of these dataclasses."""
    name = command_name(commands, arguments, description, program)
    command, unknown = parsed_with_rest(commands[name], arguments[1:], f"{program} {name}")
    if unknown:
        raise unknown_argument(unknown[0], name, flags(commands[name]))
    return command


def parsed(kind: Any, arguments: Sequence[str], program: str, **options: Any) -> Any:
    """tyro.cli, with the first lines of its boxed error message, up to the first rule, as a UsageError."""
    import tyro

    config, printed = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes), io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(kind, prog=program, args=arguments, config=config, **options)
    except SystemExit as exit:
        if not exit.code:
            raise
    lines = [line.strip("│ ") for line in printed.getvalue().splitlines()[1:]]
    above = takewhile(lambda line: not _is_rule(line), dropwhile(_is_rule, lines))
    message = " ".join(" ".join(above).split()).removeprefix("Error parsing ")
    if isinstance(kind, type):
        message = message.removeprefix(f"{kind.__name__}: ")
    raise UsageError(re.sub(r"'None', |, 'None'", "", message))  # an option's absence is no value to type


def parsed_with_rest(kind: Any, arguments: Sequence[str], program: str, **options: Any) -> tuple[Any, list[str]]:
    """The result of `parsed`, and the remaining words."""
    return parsed(kind, arguments, program, return_unknown_args=True, **options)


def unknown_argument(word: str, of: str, allowed: Sequence[str]) -> UsageError:
    """The error for a word that is no option of a command, or of what the command is about."""
    return UsageError(f"unknown argument {word!r} of {of}; {nearest(word, allowed)}")


def flags(options: Any) -> list[str]:
    """The flags that `--help` shows of a dataclass, or of an instance that has the defaults; --no-X for an X that is on."""
    kind = options if isinstance(options, type) else type(options)
    hidden = {name for name, hint in get_type_hints(kind, include_extras=True).items() if _is_hidden(hint)}
    shown = [field.name for field in dataclasses.fields(options) if field.name not in hidden]
    dashed = {name: name.rstrip("_").replace("_", "-") for name in shown}  # from_: a word of Python's, as a flag --from
    return [f"--{'no-' if getattr(options, name, None) is True else ''}{flag}" for name, flag in dashed.items()]


def _is_hidden(kind):
    import tyro

    marks = getattr(kind, "__metadata__", ())
    return tyro.conf.Suppress in marks or tyro.conf.Positional in marks


def _is_rule(line):
    """If stdout cannot encode UTF-8, tyro draws hyphens, and also a rule under the title."""
    return bool(line) and not line.strip("─╰╯-")
