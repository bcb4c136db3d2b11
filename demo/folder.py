"""A folder that is made anew on every run, and never at the cost of anything that someone else put there."""

import itertools
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

LIST = ".files.json"  # what the last run wrote: only these may go


@contextmanager
def replaced_folder(folder):
    """The body fills the empty `folder`; yields a list of notes, complete at the end.

    The old folder is renamed meanwhile. It is deleted when the body ends, unless it contains files that the former run did not
    make: then it is kept under the new name, which a note reports. If the body fails, it is restored.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-former-", dir=folder.parent)) / folder.name
    had_one = folder.exists()
    notes = []
    try:
        if had_one:
            folder.rename(aside)
        folder.mkdir()
        yield notes
        (folder / LIST).write_text(json.dumps(sorted(_files(folder))))
    except BaseException:
        if aside.exists() or not had_one:  # else a signal came before the rename
            shutil.rmtree(folder, ignore_errors=True)
        if aside.exists():
            aside.rename(folder)
        aside.parent.rmdir()
        raise
    if had_one and (foreign := _files(aside) - _listed(aside)):
        kept = next(path for n in itertools.count(1) if not (path := folder.with_name(f"{folder.name}-{n}")).exists())
        aside.rename(kept)
        notes.append(f"{folder} held {min(foreign)}, which the demo did not make: the former folder is now {kept}")
    shutil.rmtree(aside.parent)


def _files(folder):
    """Everything in the folder but its folders and the list itself; links are seen, not followed."""
    if folder.is_symlink() or not folder.is_dir():
        return {"."}
    inside = {os.path.join(root, name) for root, folders, files in os.walk(folder) for name in (*folders, *files)}
    return {os.path.relpath(p, folder) for p in inside if os.path.islink(p) or not os.path.isdir(p)} - {LIST}


def _listed(folder):
    try:
        return set(json.loads((folder / LIST).read_text()))
    except (OSError, ValueError):
        return set()
