"""Shared parts of `prepare images` and `prepare audio`: entries of the sources become rows of Arrow shards, in parallel.

Files of the sources are taken together in groups of about a shard, by their sizes alone. A group is listed into a file, one line
an entry, and its lines are cut into shards: what a process holds does not grow with the number of examples in archives and
tables, and a part (see parts.py) opens no archive of another one.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.arrow_shards import MOST_BYTES, MOST_ROWS, RowWriter
from practice_torch.data.preparation.labels import class_names, class_numbers, merged
from practice_torch.data.preparation.preparing import LISTING, MOST_SHARDS, Options, in_processes, prepare_shards, stamp_of
from practice_torch.data.preparation.shard_files import shard_file, sidecar
from practice_torch.data.preparation.sources import SMALLER, Entry, Reader, entries_of, units
from practice_torch.data.reading.files import reading

MOST_NAMED = 100  # left out, in the manifest
FEW = 64  # groups that are listed by this process: starting others takes longer


@dataclass(frozen=True)
class RowOptions(Options):
    """Options of images and of sounds."""

    ignore_labels: bool = False
    """Prepare without labels, also where there are some."""


def prepare_rows(sources, out, options, say, *, modality, suffixes, holds, integers, row, same, facts, part=None):
    """Prepare the sources into the folder `out`: the opened result; of a part, its description.

    row(where, bytes, options) gives a row's "content" and `integers` of one entry; it must be a module-level function, to run in
    other processes. `same` and facts as prepare_shards takes them.
    """
    sources = [Path(source) for source in sources]
    say(f"listing {', '.join(map(str, sources)):.200}")
    found = units(sources, suffixes, holds, labels=not options.ignore_labels)
    scale = max(1, sum(unit.size for unit in found) / (MOST_SHARDS * MOST_BYTES))
    most = int(scale * MOST_ROWS), int(scale * MOST_BYTES)
    groups = [(number, size, several) for number, (size, several) in enumerate(_cut(found, lambda unit: unit.size, *most))]
    own = part.share(groups, lambda group: group[1]) if part else groups
    asked = {"source": list(map(str, sources)), "options": options.lasting(), "inputs": _digest(found)}
    write_listing = partial(_list, suffixes=suffixes, holds=holds, labels=not options.ignore_labels, most=most)

    def jobs(folder):
        waiting = [(name, size, group) for number, size, group in own if not sidecar(folder, name := f"{LISTING}{number:05d}")]
        for _ in in_processes(write_listing, folder, waiting, options.workers if len(waiting) > FEW else 1):
            pass
        listings = [(number, sidecar(folder, f"{LISTING}{number:05d}")) for number, _, _ in own]
        labels = merged(listing["labels"] for _, listing in listings)
        if not part:
            class_names(labels)  # refuses now what could not be finished
        numbers = class_numbers(labels)
        return (
            [
                (f"shard-{number:05d}-{place:03d}.arrow", size, (listing["file"], start, stop, numbers))
                for number, listing in listings
                for place, (size, start, stop) in enumerate(listing["cuts"])
            ],
            same,
            labels,
        )

    return prepare_shards(
        out,
        modality,
        asked=asked,
        stamp=stamp_of(unit.path for unit in found),
        jobs=jobs,
        write=partial(_write, row=row, options=options, holds=holds, integers=integers),
        workers=options.workers,
        facts=facts,
        say=say,
        part=part,
    )


def row_facts(labels, sidecars, about):
    """Facts of the manifest: classes, remarks, and about({integer: [least, largest, sum]}, count), of the modality."""
    ranges = _together([shard["ranges"] for shard in sidecars if shard["count"]])
    found = {"classes": class_names(labels), **about(ranges, sum(shard["count"] for shard in sidecars))}
    return found | {"remarks": [*found.get("remarks", []), *_left_out(sidecars)]}


def _cut(items, size_of, most_rows, most_bytes):
    """(bytes, items) of consecutive items, as many as a shard takes: any number of processes cuts at the same places."""
    several, size = [], 0
    for item in items:
        if several and (len(several) == most_rows or size + size_of(item) > most_bytes):
            yield size, several
            several, size = [], 0
        several.append(item)
        size += size_of(item)
    if several:
        yield size, several


def _digest(found):
    digest = hashlib.sha256()
    for unit in found:
        digest.update(json.dumps([unit.name, unit.size, unit.label]).encode())
    return digest.hexdigest()


def _list(folder, name, group, *, suffixes, holds, labels, most):
    """Write a group's listing, a line for each entry; its facts: labels, and (bytes, start, stop) of the lines of each shard."""
    cuts, rows, size, start, facts = [], 0, 0, 0, []
    with shard_file(folder, name) as file:
        for unit in group:
            with reading(unit.path, SMALLER):
                several, published = entries_of(unit, suffixes, holds, labels)
                seen, known = set(), {"count": 0, "with": None, "without": None, "published": [published]}
                for entry in several:
                    if rows and (rows == most[0] or size + entry.size > most[1]):
                        cuts.append((size, start, file.size))
                        rows, size, start = 0, 0, file.size
                    file.write(json.dumps([str(entry.path), *entry[1:]]).encode() + b"\n")
                    rows, size = rows + 1, size + entry.size
                    known["count"] += 1
                    without = entry.label is None
                    known["without" if without else "with"] = known["without" if without else "with"] or entry.name
                    if not without:
                        seen.add(entry.label)
                facts.append(known | {"labels": list(seen)})
        cuts.append((size, start, file.size))
        labels = merged(facts)
        file.facts.update(count=labels["count"], cuts=cuts, labels=labels)


def _write(folder, name, place, *, row, options, holds, integers):
    listing, start, stop, numbers = place
    with open(folder / listing, "rb") as lines:
        lines.seek(start)
        listed = [Entry(Path(path), *rest) for path, *rest in map(json.loads, lines.read(stop - start).splitlines())]
    reader, skipped, named = Reader(holds), 0, []
    with shard_file(folder, name) as file:
        rows = RowWriter(file, integers, labelled=numbers is not None)
        for entry in listed:
            where = str(entry.path) if entry.place is None else f"{entry.path.parent / entry.name}"
            try:
                found = row(where, reader.read(entry), options)
            except DataError as error:
                if not options.skip_unusable:
                    raise DataError(f"{error}; --skip-unusable leaves such {holds}s out") from None
                skipped, named = skipped + 1, [*named, str(error)][:MOST_NAMED]
                continue
            rows.add(name=entry.name, label=numbers and numbers[str(entry.label)], **found)
        rows.close()
        file.facts.update(count=rows.count, ranges=rows.ranges, skipped=skipped, named=named)


def _together(ranges):
    return {
        name: [min(one[name][0] for one in ranges), max(one[name][1] for one in ranges), sum(one[name][2] for one in ranges)]
        for name in (ranges[0] if ranges else ())
    }


def _left_out(sidecars):
    """Remarks on skipped items: their number, and the first of them."""
    skipped, named = sum(shard["skipped"] for shard in sidecars), []
    for shard in sidecars:
        named += shard["named"][: MOST_NAMED - len(named)]
    if not skipped:
        return []
    more = [f"left out: {skipped - MOST_NAMED} more"] if skipped > MOST_NAMED else []
    return [f"{skipped} were not usable and are left out", *(f"left out: {line}" for line in named), *more]
