"""Sources of images and sounds for `prepare`: folders, tar archives, parquet and Arrow files; each example is one entry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.tars import members
from practice_torch.data.reading.files import read_bytes, reading, size_of
from practice_torch.data.reading.folders import files_in, folder_labels, folder_or_number_labels
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


class Unit(NamedTuple):
    """A file of the sources: an archive or a table, in which examples are listed, or one example of a folder (no `listing`)."""

    path: Path
    size: int  # bytes
    name: str
    label: str | None
    listing: Callable | None


def units(sources, suffixes, holds, *, labels=True):
    """The files of all sources, in their order; archives and tables are not opened.

    holds: "image" or "sound", for messages. Labels are the sub-folders of a folder, files next to an example in an archive, or a
    table's column. labels=False passes over them.
    """
    found = []
    for source in sources:
        path = existing_path(source, (), f"a folder of {holds}s, a .tar, .parquet or .arrow file, or a folder of those")
        with reading(path, SMALLER):
            for part, listing in _parts(path, suffixes):
                if listing is None:
                    found += _folder(part, suffixes, holds, labels)
                else:
                    found.append(Unit(part, size_of(part), part.name, None, listing))
    return found


def entries_of(unit, suffixes, holds, labels=True):
    """(the unit's examples, one after another; the names of the classes that it publishes, or None)."""
    if unit.listing is None:
        return iter([Entry(unit.path, None, unit.size, unit.name, unit.label)]), None
    with reading(unit.path, SMALLER):
        return unit.listing(unit.path, suffixes, holds, labels)


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
    """(path, how to list its examples; None for a folder of examples) of the parts of a source: archives, tables or a folder."""
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
    return [part for file in packed for part in _parts(file, suffixes)] or [(path, None)]


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
        Unit(file, size, str(file.relative_to(root)), label, None) for file, size, label in zip(files, sizes, labels, strict=True)
    ]


def _archive(path, suffixes, holds, labelled):
    def found():
        number = 0
        for place, size, name, label in members(path, suffixes, labels=labelled):
            number += 1
            yield Entry(path, place, size, f"{path.name}/{name}", label)
        if not number:
            raise DataError(f"{path} holds no {holds}s; allowed are {' '.join(suffixes)}: add some, or leave it out")

    return found(), None


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
    return (Entry(path, row, size, f"{path.name}, row {row}", label) for row, label in enumerate(labels)), names
