"""The marks of a marking that was interrupted: a line each, by what they were computed from, in a file next to the result."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared_specs.commands.errors import UsageError
from shared_specs.grading.classroom.mark_submission import Marked
from shared_specs.grading.classroom.rubric import Rubric
from shared_specs.grading.classroom.submissions import Submission
from shared_specs.grading.process import Limits
from shared_specs.recording.storage import path_of

FIRST_LINE = '{"unfinished marks": 1}\n'


class Unfinished:
    """What is marked so far. Without a file, nothing is kept."""

    def __init__(self, file: Any = None) -> None:
        self._file, self._marks = file, {}
        for line in file or ():
            with contextlib.suppress(ValueError, TypeError, KeyError):  # the last line may be cut
                said = json.loads(line)
                self._marks[said["key"]] = Marked(**said["marked"])

    @property
    def count(self) -> int:
        """How many submissions are marked."""
        return len(self._marks)

    def get(self, key: str) -> Marked | None:
        """The mark of a submission that has not changed since."""
        return self._marks.get(key)

    def add(self, key: str, marked: Marked) -> None:
        """Kept at once."""
        if self._file is not None:
            self._file.write(f"\n{json.dumps({'key': key, 'marked': marked.as_dict()})}")
            self._file.flush()


@contextlib.contextmanager
def unfinished_marks(result: Path | None) -> Iterator[Unfinished]:
    """The marks next to a result's file, deleted once the body has ended without an error.  Raises UsageError."""
    if result is None:
        yield Unfinished()
        return
    path = result.with_name(f"{result.name}.unfinished")
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{path} is in use: another command marks into {result}") from None
        file.seek(0)
        first = file.readline()
        if not first:
            file.write(FIRST_LINE)
            file.flush()
        elif first != FIRST_LINE:
            raise UsageError(f"{path} is not the file of an interrupted marking: move it, or give another --csv")
        yield Unfinished(file)
        path.unlink()


def key_of(submission: Submission, rubric: Rubric, limits: Limits, recorded: bool) -> str:
    """A digest of all that a mark depends on: the files, the rubric, the limits, and the contracts by their recorded answers."""
    digest = hashlib.sha256()
    files = {name: hashlib.sha256(content).hexdigest() for name, content in submission.files.items()}
    said = [submission.student, submission.main, submission.fault, files, asdict(rubric), asdict(limits), recorded]
    digest.update(json.dumps(said).encode("utf-8", "backslashreplace"))
    if (recording := path_of(rubric.topic)).is_file():
        digest.update(recording.read_bytes())
    return digest.hexdigest()
