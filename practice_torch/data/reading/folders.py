"""A folder as a data set: the files it contributes, and their labels from sub-folders."""

import os
import re
from pathlib import Path

import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import require_name

NUMBERED = re.compile(r"(\d+)[^\d.]")  # 7_jackson_32.wav is a seven, but 7.wav is only the seventh


def files_in(root, suffixes, things):
    """The files below root with one of the suffixes, sorted. Hidden files are skipped; `things` is their name in messages.

    Raises OSError where a folder cannot be listed: its label would be missing.
    """
    files, others, owner, above = [], [], {}, {}
    for directory, inner, names in os.walk(root, followlinks=True, onerror=_refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        real, parents = os.path.realpath(directory), above.get(os.path.dirname(directory), frozenset())
        if real in parents:  # a link to a folder above would never end
            inner.clear()
            continue
        if real in owner:
            raise DataError(f"{directory} and {owner[real]} are the same folder; its {things} would count twice: remove the link")
        owner[real], above[directory] = directory, parents | {real}
        for name in names:
            path = Path(directory, name)
            if name.startswith("."):
                continue
            if path.is_symlink() and not path.exists():
                raise DataError(f"{path} is a broken link, so its {things} would be missing: fix or remove it")
            (files if path.suffix.lower() in suffixes else others).append(path)
        for name in inner:
            require_name(name, f"in {directory}, the folder")
    if not files:
        found = f"{len(others)} other files, e.g. {min(others).name}" if others else "it is empty"
        allowed = f"{' '.join(suffixes)}, in it or in one sub-folder per label"
        raise DataError(f"{root} holds no {things} ({found}); allowed are {allowed}: add some")
    for file in files:
        require_name(file.name, f"in {file.parent}, the file")
    return sorted(files)


def _refuse(error):
    raise error


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
        f"labels are ambiguous: put all of them into sub-folders, or none"
    )


def folder_or_number_labels(root, files, things):
    """Like folder_labels; if all files are in root itself, the leading numbers of their names, if all have one."""
    labels, names = folder_labels(root, files, things)
    if labels is not None:
        return labels, names
    numbers = [NUMBERED.match(file.name) for file in files]
    return numbered([number[1] for number in numbers]) if all(numbers) else (None, ())


def numbered(found):
    """(labels [N], their names): each name's place among the different ones, in their natural order."""
    names = tuple(sorted(set(found), key=natural))
    number = {name: index for index, name in enumerate(names)}
    return torch.tensor([number[name] for name in found]), names


def natural(name):
    """The sorting key of a class: folders named 0, 1, ..., 10 keep their number as label; letters would put 10 before 2."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)
