"""Marks a folder of submissions in several processes; a submission that ends one of them does not stop the rest."""

import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from shared_specs.grading.classroom.mark_submission import Marked, mark_submission, unmarkable
from shared_specs.grading.classroom.rubric import Rubric
from shared_specs.grading.classroom.submissions import Submission, read_submission, students
from shared_specs.grading.classroom.unfinished import Unfinished, key_of
from shared_specs.grading.process import Limits
from shared_specs.stopping import worker_processes

Entry = tuple[str, Path]  # the student's name, and the file or folder
KILLED = "marking it ended the process that marks (it kills processes, or takes all memory): nothing can be marked"


@dataclass(frozen=True)
class Marking:
    """How a class is marked. closed: folders that no submission can open."""

    rubric: Rubric
    limits: Limits
    recorded: bool
    closed: tuple[Path, ...]

    def key(self, submission: Submission) -> str:
        """What an unfinished mark of the submission is found by."""
        return key_of(submission, self.rubric, self.limits, self.recorded)


def mark_folder(
    folder: Path, marking: Marking, jobs: int, unfinished: Unfinished, progress: Callable[[int, int], object]
) -> list[Marked]:
    """Every submission's mark, in the order of names, in this many processes. Those in `unfinished` are not marked again."""
    entries = students(folder)
    found = {}

    def done(key, marked):
        found[marked.student] = marked
        if not marked.broken:
            unfinished.add(key, marked)
        progress(len(found), len(entries))

    todo = []
    for student, path in entries.items():
        if known := unfinished.get(marking.key(read_submission(student, path, marking.rubric.values))):
            found[student] = known
        else:
            todo.append((student, path))
    progress(len(found), len(entries))
    with tempfile.TemporaryDirectory(prefix="marking-", ignore_cleanup_errors=True) as place:
        lost, todo = mark_in_processes(todo, marking, min(jobs, len(todo)), place, done)
        while lost or todo:  # a process was killed: one of these submissions did it, and each now has a process of its own
            for each in lost:
                if mark_in_processes([each], marking, 1, place, done)[0]:
                    submission = read_submission(*each, marking.rubric.values)
                    done(marking.key(submission), unmarkable(submission, marking.rubric, KILLED))
            lost, todo = mark_in_processes(todo, marking, min(jobs, len(todo)), place, done)
    return [found[student] for student in entries]


def mark_in_processes(
    todo: Sequence[Entry], marking: Marking, count: int, place: str, done: Callable[[str, Marked], None]
) -> tuple[list[Entry], list[Entry]]:
    """Calls done(key, marked) for each; if a process is killed, those that were being marked, and those that were not begun.

    place: the folder of temporary files.
    """
    waiting, running = list(reversed(todo)), {}
    if not waiting:
        return [], []
    try:
        with worker_processes(count, _begin_marking, (place,)) as pool:
            while waiting or running:
                while waiting and len(running) < count:
                    future = pool.submit(mark_entry, *waiting[-1], marking)
                    running[future] = waiting.pop()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done(*future.result())
                    del running[future]
    except BrokenProcessPool:
        return list(running.values()), list(reversed(waiting))
    return [], []


def _begin_marking(place):
    """Each process and each submission computes on one thread, in temporary folders that are removed with this one."""
    tempfile.tempdir = place
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")  # those of Python about a submission's source


def mark_entry(student: str, path: Path, marking: Marking) -> tuple[str, Marked]:
    """The key and the mark of what the entry contains now."""
    submission = Submission(student, path.name)
    try:
        submission = read_submission(student, path, marking.rubric.values)
        marked = mark_submission(submission, marking.rubric, marking.limits, marking.recorded, marking.closed)
    except Exception as error:  # ours, or of the machine: a full disk
        said = f"not marked, by no fault of the file: {type(error).__name__}: {error}"
        marked = Marked(student, submission.main, broken=" ".join(said.split()))
    return marking.key(submission), marked
