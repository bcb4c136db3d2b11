"""Sources of images and sounds for `prepare`: folders, tar archives, parquet and Arrow files; each example is one entry."""

import json
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.tars import members
from practice_torch.data.reading.files import read_bytes, reading, require_name
from practice_torch.data.reading.folders import files_in, folder_labels, folder_or_number_labels, numbered
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.reading.parquet import Rows
from practice_torch.data.splits import existing_path

TABLES = (".parquet", ".arrow")
COLUMN = {"image": "image", "sound": "audio"}  # of a table, as Hugging Face names it
SMALLER = "use smaller files"


class Entry(NamedTuple):
    """One example: the location of its encoded bytes, its name, and its label, if any."""

    path: Path
    place: int | None  # where it begins in a tar archive, or its row in a table; None: the whole file
    size: int  # bytes; in a table, of an average row
    name: str
    label: int | str | None


def entries(sources, suffixes, holds, *, labels=True):
    """(entries, names of the classes or None): all examples of the sources, in their order, with the class's number as label.

    holds: "image" or "sound", for messages. Labels are the sub-folders of a folder, files next to an example in an archive, or a
    table's column; all examples have one, or none (or labels=False, which passes over them).
    """
    found, published = [], set()
    for source in sources:
        path = existing_path(source, (), f"a folder of {holds}s, a .tar, .parquet or .arrow file, or a folder of those")
        for part, kind in _parts(path, suffixes):
            with reading(part, SMALLER):
                several, names = kind(part, suffixes, holds, labels)
            found += several
            published.add(names)
    return _numbered(found, published)


def files_of(listed):
    """The files that entries lie in, each once, in order."""
    return [path for path, _ in groupby(entry.path for entry in listed)]


class Reader:
    """Reads entries; those that follow each other in a table without opening it again."""

    def __init__(self, holds):
        self.holds, self.table, self.rows, self.following = holds, None, None, None

    def read(self, entry):
        """The encoded bytes of an entry. DataError if they cannot be read."""
        with reading(entry.path, SMALLER):
            if entry.place is None:
                return read_bytes(entry.path, SMALLER)
            if entry.path.suffix.lower() in TABLES:
                return self._row(entry)
            require_memory(entry.name, entry.size, SMALLER)
            with entry.path.open("rb") as archive:
                archive.seek(entry.place)
                return archive.read(entry.size)

    def _row(self, entry):
        if self.following != (entry.path, entry.place):
            self.table = Rows(entry.path, COLUMN[self.holds])
            self.rows = self.table.values(entry.place)
        row, value = next(self.rows)
        self.following = (entry.path, row + 1)
        if value is None:
            raise self.table.empty(row)
        return value


def _parts(path, suffixes):
    """(path, how to list it) of the parts of a source: a folder of archives or tables has each of them as a part."""
    suffix = path.suffix.lower()
    if not path.is_dir():
        kinds = {".tar": _archive, **dict.fromkeys(TABLES, _table)}
        if suffix not in kinds:
            mend = f"give its folder, {path.parent}" if suffix in suffixes else "decompress or convert it"
            raise DataError(f"{path} is neither a folder nor a .tar, .parquet or .arrow file: {mend}")
        return [(path, kinds[suffix])]
    if (path / "dataset_dict.json").is_file():
        parts = [part.name for part in path.iterdir() if part.is_dir()]
        raise DataError(f"{path} holds several parts ({', '.join(sorted(parts))}): name one of them, e.g. {path / min(parts)}")
    if (path / "state.json").is_file():
        return [(path / name, _table) for name in _saved(path)]
    packed = sorted(file for file in path.iterdir() if file.suffix.lower() in (".tar", *TABLES) and file.is_file())
    return [part for file in packed for part in _parts(file, suffixes)] or [(path, _folder)]


def _saved(folder):
    """The files of a data set that `save_to_disk` wrote, in its order."""
    try:
        files = [str(file["filename"]) for file in json.loads((folder / "state.json").read_bytes())["_data_files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / 'state.json'} is not what save_to_disk writes ({error!r:.80}): save it again") from None
    if not files or any(Path(name).name != name for name in files):
        raise DataError(f"{folder / 'state.json'} names files outside of its folder, or none: save it again")
    return files


def _folder(root, suffixes, holds, labelled):
    files = files_in(root, suffixes, f"{holds}s")
    labels = None
    if labelled:
        labels, names = (folder_labels if holds == "image" else folder_or_number_labels)(root, files, f"{holds}s")
    labels = [None] * len(files) if labels is None else [names[label] for label in labels.tolist()]
    sizes = (file.stat().st_size for file in files)
    return [
        Entry(file, None, size, str(file.relative_to(root)), label)
        for file, size, label in zip(files, sizes, labels, strict=True)
    ], None


def _archive(path, suffixes, holds, labelled):
    listed = members(path, suffixes, labels=labelled)
    found = [Entry(path, place, size, f"{path.name}/{name}", label) for place, size, name, label in listed]
    if not found:
        raise DataError(f"{path} holds no {holds}s; allowed are {' '.join(suffixes)}: add some, or leave it out")
    return found, None


def _table(path, _, holds, labelled):
    rows = Rows(path, COLUMN[holds])
    labels, names = [None] * rows.count, None
    if rows.label and labelled:
        labels, names = rows.labels()
        if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
            raise DataError(f"{path}: column '{rows.label}' has dtype {labels.dtype}; it must hold integers or names: convert it")
        labels = labels.tolist()
        if names is not None:
            if wrong := [label for label in labels if not 0 <= label < len(names)]:
                raise DataError(f"{path}: label {wrong[0]}; allowed are 0..{len(names) - 1}, for {len(names)} named classes")
            labels = [names[label] for label in labels]
    size = path.stat().st_size // rows.count
    return [Entry(path, row, size, f"{path.name}, row {row}", label) for row, label in enumerate(labels)], names


def _numbered(found, published):
    """The entries with the numbers of their classes, and the names: as published, or numbers as they are, or in their order."""
    without = next((entry for entry in found if entry.label is None), None)
    labelled = next((entry for entry in found if entry.label is not None), None)
    if labelled is None:
        return found, None
    if without is not None:
        raise DataError(f"{labelled.name} has a label and {without.name} has none: give every one a label, or --ignore-labels")
    labels = [entry.label for entry in found]
    if len(published) == 1 and None not in published:
        names = published.pop()
        place = {name: number for number, name in enumerate(names)}
        numbers = [place[label] for label in labels]
    elif all(isinstance(label, int) for label in labels):
        if not 0 <= min(labels) <= max(labels) < len(labels):
            wrong = min(labels) if min(labels) < 0 else max(labels)
            raise DataError(f"label {wrong} found; allowed are 0..{len(labels) - 1}, for {len(labels)} examples: number from 0")
        numbers, names = labels, tuple(str(number) for number in range(max(labels) + 1))
    else:
        numbers, names = numbered([str(label) for label in labels])
        numbers = numbers.tolist()
    for name in names:
        require_name(name, "the name of a class,")
    return [entry._replace(label=number) for entry, number in zip(found, numbers, strict=True)], list(names)
