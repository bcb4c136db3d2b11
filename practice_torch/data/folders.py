"""A folder as a data set: which of its files count, and the labels that sub-folders give them."""

import os
from pathlib import Path

import torch

from practice_torch.data.errors import DataError


def files_in(root, suffixes, things):
    """The files below root with one of the suffixes, sorted. Hidden ones do not count; things is what to call them."""
    files, others, seen = [], [], set()
    for directory, inner, names in os.walk(root, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".")]
        real = os.path.realpath(directory)
        if real in seen:  # a link to a folder above would never end
            inner.clear()
            continue
        seen.add(real)
        for name in names:
            if not name.startswith("."):
                (files if Path(name).suffix.lower() in suffixes else others).append(Path(directory, name))
    if not files:
        found = f"{len(others)} other files, e.g. {min(others).name}" if others else "it is empty"
        allowed = f"{' '.join(suffixes)}, in it or in one sub-folder per label"
        raise DataError(f"{root} holds no {things} ({found}); allowed are {allowed}: add some")
    return sorted(files)


def folder_labels(root, files, things):
    """(labels [N], their names) from the sub-folders of root that the files lie in; (None, ()) where all lie in root itself."""
    inner = [file.relative_to(root).parts[:-1] for file in files]
    if not any(inner):
        return None, ()
    if all(inner):
        return numbered([parts[0] for parts in inner])
    loose, sorted_in = files[inner.index(())], next(file for file, parts in zip(files, inner, strict=True) if parts)
    raise DataError(
        f"{root} holds {things} both in itself ({loose.name}) and in sub-folders ({sorted_in.relative_to(root)}), so their "
        f"labels are unclear: give every one a sub-folder, or none"
    )


def numbered(found):
    """(labels [N], their names): each name's place among the different ones, in their natural order."""
    names = tuple(sorted(set(found), key=_natural))
    number = {name: index for index, name in enumerate(names)}
    return torch.tensor([number[name] for name in found]), names


def _natural(name):
    """Folders named 0, 1, ..., 10 keep their number as label; sorting by letters would put 10 before 2."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)
