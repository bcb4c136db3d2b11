"""python -m practice_torch prepare MODALITY SOURCES... --out DIR: large data, once, into a folder that training streams from."""

import importlib
import sys
from dataclasses import dataclass
from shlex import quote
from typing import Annotated

import tyro

from practice_torch.commands.options import PROGRAM
from practice_torch.data.errors import DataError
from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.parsing import flags, parsed_with_rest, unknown_argument
from shared_specs.stopping import Stopped

PREPARE = f"{PROGRAM} prepare"
# modality -> its sources; practice_torch/data/prepare_<modality>.py has its Options and prepare(sources, out, options, say)
MODALITIES = {
    "text": "UTF-8 text, .jsonl (.gz, .zst) and parquet, or folders of them, into tokens",
    "images": "folders of images, tar archives (WebDataset), parquet and Arrow files, as they are encoded",
    "audio": "folders of wav and flac files, tar archives, parquet and Arrow files, into 16-bit samples of one rate",
}
HELP = f"""{PREPARE} MODALITY SOURCES... --out DIR [options]: prepare data that does not fit into memory.

The folder DIR is then what --data of a recipe takes: training reads its examples from the disk (or, where all of it fits, from
the device's memory). If it is stopped, the same command continues and ends in the same bytes. DIR is as large as the data:
tokens take 1, 2 or 4 bytes each, files are kept as they are encoded.

{{modalities}}

{PREPARE} MODALITY --help    the options of a modality
{PREPARE} --verify DIR       read every shard again and compare its checksum

With --part K/N the command prepares the K-th of N parts, into DIR/part-K-of-N: on one machine after another, or on many at once,
which each take the same command with another K. All parts in one DIR, on whatever disks they were made, are joined:

{PREPARE} --join DIR         make one folder of its parts: the same bytes as without --part
"""


@dataclass(frozen=True)
class Verify:
    """Read every shard of a prepared folder and compare its checksum."""

    verify: Annotated[str, tyro.conf.arg(metavar="DIR")]
    """A prepared folder."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Join:
    """Make one prepared folder of the parts in it. A stopped join is repeated."""

    join: Annotated[str, tyro.conf.arg(metavar="DIR")]
    """A folder with all parts that `prepare MODALITY ... --out DIR --part K/N` wrote."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Where:
    """Sources and destination, of every modality."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCES...")]
    """Files or folders, in this order."""
    out: Annotated[str, tyro.conf.arg(metavar="DIR")]
    """The folder to write: missing, empty, or begun by the same command."""
    part: Annotated[str, tyro.conf.arg(metavar="K/N")] = ""
    """Prepare the K-th of N parts alone, into DIR/part-K-of-N; all of them are then joined by prepare --join DIR."""
    debug: bool = False
    """Show the traceback of an error."""


def prepare(arguments, byte_pairs):
    """The command, from the words after `prepare`. byte_pairs: the class of our own tokenizer, a topic that data may not know."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, MODALITIES))
        print(HELP.format(modalities="\n".join(f"{name:{width}}  {takes}" for name, takes in MODALITIES.items())))
        return 0
    if arguments[0].split("=")[0] == "--verify":
        return _verify(_parsed(Verify, arguments, PREPARE).verify)
    if arguments[0].split("=")[0] == "--join":
        return _join(_parsed(Join, arguments, PREPARE).join)
    modality = arguments[0]
    if modality not in MODALITIES:
        raise UsageError(f"prepare takes a modality first (given: {modality}); {nearest(modality, MODALITIES)}")
    module = _module(modality)
    where, options = _parsed(_both(module.Options), arguments[1:], f"{PREPARE} {modality}", module.__doc__)
    if not where.sources:
        raise UsageError(f"prepare {modality} takes SOURCES, files or folders: name at least one")
    more = {"byte_pairs": byte_pairs} if modality == "text" else {}
    part = _part(where.part)
    try:
        prepared = module.prepare(where.sources, where.out, options, _say, **more, part=part)
    except Stopped as stop:
        return _stopped(stop)
    if not part:
        return _summarize(where.out, prepared.manifest)
    size = sum(shard["bytes"] for shard in prepared["shards"])
    found = f"part {part}, {len(prepared['shards'])} shards, {size / 1e6:.1f} MB"
    print(f"{where.out}: {found}; with all parts there: {PREPARE} --join {quote(where.out)}")
    return 0


def _part(text):
    from practice_torch.data.preparation.parts import Part

    try:
        return Part.parsed(text) if text else None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _join(folder):
    from practice_torch.data.preparation.parts import join

    try:
        return _summarize(folder, join(folder, lambda modality: _module(modality).facts, _say).manifest)
    except Stopped as stop:
        return _stopped(stop)


def _module(modality):
    return importlib.import_module(f"practice_torch.data.preparation.prepare_{modality}")


def _stopped(stop):
    _say(f"{stop}; the same command continues")
    return stop.exit_code


def _summarize(folder, manifest):
    for remark in manifest.get("remarks", ()):
        _say(f"note: {remark}")
    size = sum(shard["bytes"] for shard in manifest["shards"])
    summary = f"{_module(manifest['modality']).summary(manifest)}, {len(manifest['shards'])} shards, {size / 1e6:.1f} MB"
    print(f"{folder}: {summary}; train with --data {quote(str(folder))}")
    return 0


def _verify(folder):
    from practice_torch.data.preparation.prepared import is_prepared, verify

    if not is_prepared(folder):
        raise DataError(f"{folder} is not a prepared folder; `{PREPARE} MODALITY SOURCES... --out DIR` makes one")
    manifest = verify(folder).manifest
    print(f"{folder}: all {len(manifest['shards'])} shards have their checksums")
    return 0


def _both(options):
    """The command line of a modality: the places, and its options without prefixes."""
    return tuple[Annotated[Where, tyro.conf.arg(name="")], Annotated[options, tyro.conf.arg(name="")]]


def _parsed(kind, arguments, program, description=None):
    try:
        result, unknown = parsed_with_rest(kind, arguments, program, description=description)
    except ValueError as error:  # of an option's bounds
        raise UsageError(str(error)) from None
    if unknown:
        known = [flag for part in (result if isinstance(result, tuple) else (result,)) for flag in flags(type(part))]
        raise unknown_argument(unknown[0], program.removeprefix(f"{PROGRAM} "), known)
    return result


def _say(line):
    print(line, file=sys.stderr, flush=True)
