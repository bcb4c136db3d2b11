"""Shared parts of `prepare images` and `prepare audio`: entries of the sources become rows of Arrow shards, in parallel."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.arrow_shards import MOST_BYTES, MOST_ROWS, RowWriter
from practice_torch.data.preparation.preparing import Options, prepare_shards, shard_file, stamp_of
from practice_torch.data.preparation.sources import Reader, entries, files_of

MOST_NAMED = 100  # left out, in the manifest
MOST_SAID = 10


@dataclass(frozen=True)
class RowOptions(Options):
    """Options of images and of sounds."""

    ignore_labels: bool = False
    """Prepare without labels, also where there are some."""


def prepare_rows(sources, out, options, say, *, modality, suffixes, holds, integers, row, facts):
    """Prepare the sources into the folder `out`: the opened result.

    row(where, bytes, options) gives a row's "content" and `integers` of one entry; it must be a module-level function, to run in
    other processes. facts({integer: [least, largest, sum]}, count) gives the manifest's entries for the modality.
    """
    sources = [Path(source) for source in sources]
    say(f"listing {', '.join(map(str, sources)):.200}")
    listed, classes = entries(sources, suffixes, holds, labels=not options.ignore_labels)
    write = partial(_write, row=row, options=options, holds=holds, integers=integers)
    jobs = [(f"shard-{number:05d}.arrow", sum(entry.size for entry in part), part) for number, part in enumerate(_cut(listed))]

    def all_facts(sidecars):
        ranges = _together([sidecar["ranges"] for sidecar in sidecars if sidecar["count"]])
        found = {"classes": classes, **facts(ranges, sum(sidecar["count"] for sidecar in sidecars))}
        return found | {"remarks": [*found.get("remarks", []), *_left_out(sidecars)]}

    return prepare_shards(
        out,
        modality,
        asked={"source": list(map(str, sources)), "options": options.lasting(), "inputs": _digest(listed)},
        stamp=stamp_of(files_of(listed)),
        jobs=jobs,
        write=write,
        workers=options.workers,
        facts=all_facts,
        say=say,
    )


def _cut(listed):
    """The entries of each shard: decided by their sizes alone, so that any number of processes writes the same shards."""
    part, size = [], 0
    for entry in listed:
        if part and (len(part) == MOST_ROWS or size + entry.size > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield part


def _digest(listed):
    digest = hashlib.sha256()
    for entry in listed:
        digest.update(json.dumps([entry.name, entry.place, entry.size, entry.label]).encode())
    return digest.hexdigest()


def _write(folder, name, listed, *, row, options, holds, integers):
    reader, skipped = Reader(holds), []
    with shard_file(folder, name) as file:
        rows = RowWriter(file, integers, labelled=listed[0].label is not None)
        for entry in listed:
            where = str(entry.path) if entry.place is None else f"{entry.path.parent / entry.name}"
            try:
                found = row(where, reader.read(entry), options)
            except DataError as error:
                if not options.skip_unusable:
                    raise DataError(f"{error}; --skip-unusable leaves such {holds}s out") from None
                skipped.append(str(error))
                continue
            rows.add(name=entry.name, label=entry.label, **found)
        rows.close()
        file.facts.update(count=rows.count, ranges=rows.ranges, skipped=skipped)


def _together(ranges):
    return {
        name: [min(one[name][0] for one in ranges), max(one[name][1] for one in ranges), sum(one[name][2] for one in ranges)]
        for name in (ranges[0] if ranges else ())
    }


def _left_out(sidecars):
    """Remarks on skipped items: their number, and the first of them."""
    lines = [line for sidecar in sidecars for line in sidecar["skipped"]]
    if not lines:
        return []
    more = [f"left out: {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
    return [f"{len(lines)} were not usable and are left out", *(f"left out: {line}" for line in lines[:MOST_NAMED]), *more]
