"""A preparation in parts: each prepares its share of the shards, on any machine; `join` makes one folder of them.

    DIR/part-2-of-8/    shards as in the whole folder, the files kept with them, and part.json, which describes them

The request determines the jobs, and a job its shard, whatever the others do (see preparing.py): a part is a range of jobs, and
joining is renaming. Only the numbers of classes may depend on other parts: where a part lacks a class that another one has, the
column of labels is written again, and the other columns are copied.
"""

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.arrow_shards import renumbered
from practice_torch.data.preparation.labels import class_numbers, merged
from practice_torch.data.preparation.prepared import MANIFEST, PART, UNFINISHED, open_prepared, part_content
from practice_torch.data.preparation.preparing import clean, finish, locked
from practice_torch.data.preparation.shard_files import ASIDE, shard_file, sidecar, write_whole, writing
from practice_torch.data.progress import Amount

COPY = "copy the part again"


@dataclass(frozen=True)
class Part:
    """The number-th of `of` parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parsed(cls, text):
        """The part that K/N names. ValueError unless 1 <= K <= N."""
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"part is {text}; it must be K/N, the K-th of N parts, from 1/N to N/N")
        return cls(int(found[1]), int(found[2]))

    def __str__(self):
        return f"{self.number}/{self.of}"

    @property
    def folder(self):
        """The name of its folder."""
        return f"part-{self.number}-of-{self.of}"

    def share(self, jobs, size):
        """Its jobs: consecutive ones, of about as many bytes as those of every part; `size` gives the bytes of a job."""
        total, before, own = max(1, sum(map(size, jobs))), 0, []
        for job in jobs:
            if (2 * before + size(job)) * self.of // (2 * total) == self.number - 1:
                own.append(job)
            before += size(job)
        return own


def join(out, facts, say):
    """The prepared folder made of the parts in it. facts(modality) is the function that `prepare_shards` took for the modality.

    A join that was stopped may be repeated. Moves shards within the folder, and removes the parts at the end.
    """
    out = Path(out)
    if (out / MANIFEST).exists():
        prepared = open_prepared(out)
        _remove(out, say)
        return prepared
    parts = _read(out)
    first = parts[0]
    asked = {key: first[key] for key in ("source", "options", "inputs")}
    labels = merged(part["labels"] for part in parts)
    numbers = class_numbers(labels)
    begun = {"joining": first["of"], "modality": first["modality"], **asked}
    described = facts(first["modality"])(first["same"], labels, [shard for part in parts for shard in part["shards"]])
    if not (out / UNFINISHED).exists():
        write_whole(out / UNFINISHED, json.dumps(begun).encode())
    elif json.loads((out / UNFINISHED).read_bytes()) != begun:
        raise DataError(f"{out} holds the beginning of something else: join the parts in another folder")
    with locked(out), Amount(f"joining {out}", sum(shard["bytes"] for part in parts for shard in part["shards"])) as done:
        for aside in out.glob(f"{ASIDE}*"):
            aside.unlink()
        for name in first["kept"]:
            if not (out / name).exists():
                write_whole(out / name, (first["folder"] / name).read_bytes())
        for part in parts:
            own = class_numbers(part["labels"]) or {}
            changed = {number: numbers[label] for label, number in own.items() if numbers.get(label, number) != number}
            for shard in part["shards"]:
                _move(part["folder"], out, shard, changed)
                done(shard["bytes"])
        sidecars = [sidecar(out, shard["file"]) for part in parts for shard in part["shards"]]
        prepared = finish(out, first["modality"], asked, sidecars, described)
    _remove(out, say)
    return prepared


# ---------------------------------------------------------------------------------------------------- the parts of a folder


def _read(out):
    """The parts in a folder in order, with the "folder" of each. DataError if they are not all parts of one preparation."""
    with contextlib.suppress(OSError):
        folders = sorted(file for file in out.iterdir() if (file / PART).is_file() or (file / UNFINISHED).is_file())
        if folders:
            return _consistent(out, [part_content(folder) | {"folder": folder} for folder in folders])
    raise DataError(f"{out} holds no parts: prepare them with --out {out} --part K/N, or copy their folders there")


def _consistent(out, parts):
    first, seen = parts[0], {}
    for part in parts:
        folder = part["folder"]
        if part["of"] != first["of"]:
            raise DataError(
                f"{folder} is one of {part['of']} parts and {first['folder']} one of {first['of']}: remove those of one kind"
            )
        if other := seen.get(part["part"]):
            raise DataError(f"part {part['part']}/{part['of']} is there twice, in {other} and {folder}: remove one")
        seen[part["part"]] = folder
        for key in ("modality", "options", "source", "inputs", "same", "kept"):
            if part[key] != first[key]:
                raise DataError(f"{folder} is not of the same preparation as {first['folder']} ({_difference(key, part, first)})")
    if missing := [number for number in range(1, first["of"] + 1) if number not in seen]:
        named = ", ".join(f"{number}/{first['of']}" for number in missing[:5]) + (", ..." if len(missing) > 5 else "")
        found = f"{out} has {len(parts)} of {first['of']} parts; missing: {named}"
        raise DataError(f"{found}: prepare with --part {missing[0]}/{first['of']}, or copy its folder there")
    for part in parts:
        for name in part["kept"]:
            if not (part["folder"] / name).is_file():
                raise DataError(f"{part['folder'] / name} is missing: {COPY}")
        for shard in part["shards"]:
            if not _is_there(part["folder"] / shard["file"], shard) and not sidecar(out, shard["file"]):
                raise DataError(f"{part['folder'] / shard['file']} is missing or has another size than {PART} lists: {COPY}")
    return sorted(parts, key=lambda part: part["part"])


def _difference(key, part, first):
    if key == "inputs":
        return "the source files differ: give every part the same files, then prepare the part again"
    if isinstance(part[key], dict):
        name = next(name for name in (*part[key], *first[key]) if part[key].get(name) != first[key].get(name))
        return f"its {name} is {part[key].get(name)!r:.80}, there {first[key].get(name)!r:.80}: prepare the part again"
    return f"its {key} is {part[key]!r:.80}, there {first[key]!r:.80}: prepare the part again"


def _is_there(path, shard):
    try:
        return path.stat().st_size == shard["bytes"]
    except OSError:
        return False


def _move(folder, out, shard, changed):
    """Move a shard of a part into the whole folder, with its sidecar; `changed`: other numbers of classes."""
    name = shard["file"]
    if sidecar(out, name) is None:
        if changed and shard["count"]:
            facts = {key: value for key, value in shard.items() if key not in ("file", "bytes", "sha256")}
            with shard_file(out, name) as file:
                file.facts.update(facts)
                renumbered(folder / name, file, changed)
        else:
            write_whole(out / f"{name}.json", json.dumps(shard).encode())  # counts once the shard is there, too
            with writing(out / name):
                (folder / name).replace(out / name)
    with writing(folder):
        (folder / name).unlink(missing_ok=True)


def _remove(out, say):
    """Remove what is left of the parts of a folder that is whole."""
    clean(out)
    for folder in out.glob("part-*-of-*"):
        with contextlib.suppress(OSError):
            if (folder / PART).is_file():
                say(f"removing {folder}, which is joined")
                for file in sorted(folder.iterdir(), key=lambda file: file.name == PART):  # PART last: what is left has it
                    file.unlink()
            folder.rmdir()
