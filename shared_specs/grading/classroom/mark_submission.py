"""Marks one submission: points and comments that are the same each time, whatever the file does."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared_specs.checking.check import MISSING
from shared_specs.checking.implementation import Fault
from shared_specs.grading.classroom.rubric import Rubric
from shared_specs.grading.classroom.submissions import Submission, defined_in
from shared_specs.grading.exercise import topic_of
from shared_specs.grading.grade import NOT_CALLED_AGAIN, grade
from shared_specs.grading.marks import marks_of
from shared_specs.grading.process import Limits, NotGraded

LONGEST_COMMENT = 1000  # characters about one function
OTHERS = 5  # names listed of a file that has other ones


@dataclass(frozen=True)
class Marked:
    """A student's mark. points: by function; none if our own code failed, which `broken` then says.

    comments: what is wrong, in one line each, with the function's name. table: for each function how many values and input
    checks hold, and the mark. lecture, hints: where to read, and frequent mistakes, of the functions that fail.
    """

    student: str
    file: str
    points: Mapping[str, float] = field(default_factory=dict)
    comments: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    lecture: Sequence[str] = ()
    hints: Sequence[str] = ()
    broken: str = ""

    @property
    def total(self) -> float:
        """All points, to two decimals."""
        return round(sum(self.points.values()), 2)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; Marked(**it) is the same."""
        return asdict(self)


def unmarkable(submission: Submission, rubric: Rubric, why: str) -> Marked:
    """No points, for a reason that is about the file."""
    return Marked(submission.student, submission.main, dict.fromkeys(rubric.values, 0.0), (why,))


def mark_submission(submission: Submission, rubric: Rubric, limits: Limits, recorded: bool, closed: Sequence[Path]) -> Marked:
    """The mark of one submission, run from a copy.  Raises NotGraded for a fault of the machine.  closed: see grade."""
    if submission.fault:
        return unmarkable(submission, rubric, _cleaned(submission.fault))
    with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        for name, content in submission.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        main = root / submission.main
        try:
            if not submission.files[submission.main].strip():
                raise Fault(f"{main} is empty")
            said = topic_of(main)
            results = grade(main, rubric.topic, limits, tuple(rubric.values), recorded=recorded, closed=closed)
        except NotGraded:
            raise
        except Fault as fault:
            return unmarkable(submission, rubric, _cleaned(str(fault), root))
    remarks = []
    if isinstance(said, str) and said != rubric.topic:
        remarks.append(_cleaned(f"the file says TOPIC = {said!r}, and is marked as {rubric.topic}"))
    return _of_results(submission, rubric, results, remarks, root)


def _of_results(submission, rubric, results, remarks, root):
    marks = {mark.function: mark for mark in marks_of(rubric.topic, list(rubric.values), results)}
    there = {r.function for r in results if r.quantity != MISSING}
    missing = [name for name in rubric.values if name not in there]
    comments = [f"not in the file: {', '.join(missing)}{_others(submission, rubric)}"] if missing else []
    points, table, hints = dict.fromkeys(rubric.values, 0.0), [], []
    for name, mark in marks.items():
        if name:
            points[name] = _points(rubric, mark)
        counts = [f"{held} of {count}" if count else "-" for held, count in (mark.values, mark.checks)]
        table.append([name or "laws", *counts, "missing" if name in missing else mark.mark])
        counts_checks = name in rubric.checks and mark.checks[0] < mark.checks[1]
        if mark.mark == "to do" and name not in missing:
            comments.append(f"{name or 'laws'}: not written yet")
        elif mark.mark == "fails" or mark.mark == "holds" and counts_checks:
            comments.append(f"{name or 'laws'}: {mark.fault.removeprefix(NOT_CALLED_AGAIN)}")
        if mark.hint and mark.mark == "fails":
            hints.append(f"{name}: {mark.hint}")
    lecture = [f"{mark.function or 'laws'}: {mark.lecture}" for mark in marks.values() if mark.lecture]
    comments = [*remarks, *(_cleaned(comment, root) for comment in comments)]
    return Marked(submission.student, submission.main, points, comments, table, lecture, hints)


def _points(rubric, mark):
    """Values are all or nothing: a wrong formula, too, agrees in the shapes and in a few cases. Checks count for right values."""
    if mark.mark != "holds":
        return 0.0
    held, count = mark.checks
    return round(rubric.values[mark.function] + rubric.checks.get(mark.function, 0) * (held / count if count else 0), 4)


def _others(submission, rubric):
    """What the file has in place of a function."""
    defined = defined_in(submission.files[submission.main]) - set(rubric.values) - {"TOPIC"}
    other = sorted(name for name in defined if not name.startswith("_"))
    return f"; it has {', '.join(other[:OTHERS])}{', ...' if len(other) > OTHERS else ''}" if other else ""


def _cleaned(text, root=None):
    """One printable line without what differs from one marking to the next: temporary folders and addresses."""
    if root is not None:
        text = text.replace(f"{root}/", "").replace(str(root), ".")
    text = re.sub(r"[^\s'\"]*/graded-[^/\s'\"]+(/graded)?/?", "", text)
    text = re.sub(r"\b0x[0-9a-f]{6,}\b", "0x...", text)
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= LONGEST_COMMENT else f"{line[: LONGEST_COMMENT - 3]}..."
