"""The submissions in a folder: each entry is a student's, read once, so that what is marked is what was read.

An entry is a file, or a sub-folder of files. Links are not followed: they may lead to another student's work.
"""

import ast
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared_specs.checking.implementation import Fault
from shared_specs.grading.exercise import LARGEST
from shared_specs.grading.process import MOST_FILES

SKIPPED = ("__pycache__", "__MACOSX")  # next to hidden files


@dataclass(frozen=True)
class Submission:
    """A student's files by their paths in the submission, the one to mark, and why nothing can be marked, if so."""

    student: str
    main: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    fault: str = ""


def students(folder: Path) -> dict[str, Path]:
    """The entries of a folder by the student's name, in the order of names. A file loses its .py, unless a name would repeat."""
    names = {entry.name for entry in os.scandir(folder) if not entry.name.startswith(".") and entry.name not in SKIPPED}
    found = {}
    for name in names:
        path = folder / name
        stem = name.removesuffix(".py") if not path.is_dir() or path.is_symlink() else name
        found[stem if stem and (stem == name or stem not in names) else name] = path
    return dict(sorted(found.items(), key=lambda item: (item[0].casefold(), item[0])))


def read_submission(student: str, path: Path, functions: Collection[str]) -> Submission:
    """A student's submission; of several files, the one that defines the most of these functions is marked."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            files = _python_files(path)
            return Submission(student, _main(files, functions), files)
        if stat.S_ISLNK(mode):
            raise Fault("is a link: hand in the file itself")
        if path.suffix == ".ipynb":
            raise Fault("is a notebook: save it as a Python script (.py), with the functions and without their tests")
        if path.suffix != ".py":
            raise Fault("is not a Python file: its name must end in .py")
        return Submission(student, path.name, {path.name: _content(path)})
    except OSError as error:
        return Submission(student, path.name, fault=f"{path.name} cannot be read: {error.strerror}")
    except Fault as fault:
        return Submission(student, path.name, fault=f"{path.name} {fault}")


def _content(path):
    """The content of a regular file; one that is too large is cut, and refused later."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe without a writer does not block
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Fault("is not a regular file")
        return file.read(LARGEST + 1)


def _python_files(folder):
    """The contents of the Python files below a folder, by their paths in it."""
    found = {}
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in SKIPPED)
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix != ".py" or name.startswith(".") or path.is_symlink():
                continue
            if len(found) == MOST_FILES:
                raise Fault(f"has more than {MOST_FILES} Python files")
            try:
                found[path.relative_to(folder).as_posix()] = _content(path)
            except Fault:
                continue
    if not found:
        raise Fault("is a folder without a Python file (.py)")
    return found


def _main(files, functions):
    """The file that defines most of the functions; of several, the one that is in the fewest folders, then by name."""
    defined = {path: len(defined_in(content) & set(functions)) for path, content in files.items()}
    return min(files, key=lambda path: (-defined[path], path.count("/"), path))


def defined_in(content: bytes) -> set[str]:
    """The names that a Python file defines at its top, read without running it; none if it is not Python."""
    found = set()
    try:
        body = ast.parse(content).body if len(content) <= LARGEST else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found
