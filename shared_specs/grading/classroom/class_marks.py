"""What a teacher and the students get: the marks of a class as CSV, a page of feedback for each student, a table."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from shared_specs.checking.implementation import Fault
from shared_specs.commands.errors import UsageError
from shared_specs.grading.classroom.mark_submission import Marked
from shared_specs.grading.classroom.rubric import Rubric
from shared_specs.grading.recorded_answers import NOT_RECORDED

BEFORE, AFTER = ("student", "file", "points", "out of"), ("comment",)
FEEDBACK = "# Feedback for "
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would compute
LONGEST_NAME = 255  # bytes of a file's name


def number(points: float) -> str:
    """Points as a person writes them: 3, 2.5, 0.33."""
    return f"{round(points, 2):g}" if abs(points) < 1e5 else f"{round(points, 2)}"


def comment_of(marked: Marked) -> str:
    """What is wrong, in one line; empty if nothing is."""
    return marked.broken or " | ".join(marked.comments)


def require_replaceable(file: Path | None, first: str, folder: Path) -> None:
    """Raises UsageError for a place inside the folder of submissions, and for a file that no earlier marking wrote."""
    if file is None:
        return
    if file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{file} is inside {folder}, where it would be a submission: give a place outside it")
    if not os.path.lexists(file):
        return
    try:
        with open(file, encoding="utf-8", errors="replace") as found:
            earlier = found.readline(2000)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    if not earlier.startswith(first):
        raise UsageError(f"{file} exists and is not the result of an earlier marking: give another name")


def write_csv(file: Path, rubric: Rubric, marks: Sequence[Marked]) -> None:
    """A line a student, at once: the file is complete, or as it was before."""

    def write(out):
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow([*BEFORE, *rubric.values, *AFTER])
        for marked in marks:
            earned = [number(marked.points[name]) if marked.points else "" for name in rubric.values]
            total = "" if marked.broken else number(marked.total)
            row = [marked.student, marked.file, total, number(full(rubric)), *earned, comment_of(marked)]
            rows.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row])

    _replace(file, write)


def full(rubric: Rubric) -> float:
    """All points that can be earned."""
    return sum(map(rubric.out_of, rubric.values))


def feedback_file(folder: Path, student: str) -> Path:
    """The page of a student."""
    shortened = os.fsdecode(os.fsencode(student)[: LONGEST_NAME - len(".md.new")])
    return folder / f"{shortened}.md"


def write_feedback(folder: Path, rubric: Rubric, marks: Sequence[Marked], recorded: bool, hints: bool) -> None:
    """A page in Markdown for each student."""
    folder.mkdir(parents=True, exist_ok=True)
    for marked in marks:
        text = "\n".join(_page(rubric, marked, recorded, hints))
        _replace(feedback_file(folder, marked.student), lambda out, text=text: out.write(text))


def _page(rubric, marked, recorded, hints):
    yield f"{FEEDBACK}{_printable(marked.student)}"
    yield ""
    yield f"{_printable(marked.file)}, marked by the contracts of {rubric.topic}."
    yield ""
    if marked.broken:
        yield marked.broken
        return
    yield f"**{number(marked.total)} of {number(full(rubric))} points**"
    yield ""
    if marked.table:
        yield "| function | values | input checks | mark | points |"
        yield "|---|---|---|---|---|"
        for name, values, checks, mark in marked.table:
            earned = f"{number(marked.points[name])} of {number(rubric.out_of(name))}" if name in rubric.values else "-"
            yield f"| {name} | {values} | {checks} | {mark} | {earned} |"
        yield ""
    yield from _listed("What is wrong", marked.comments)
    yield from _listed("Where the lecture speaks of it", marked.lecture)
    yield from _listed("What often goes wrong", marked.hints if hints else ())
    if recorded:
        yield f"Not judged: {NOT_RECORDED}."
        yield ""


def _listed(title, lines):
    """A heading and its lines, as literal text: they repeat what the file says."""
    if lines:
        yield f"## {title}"
        yield ""
        yield from (f"    {line}" for line in lines)  # indented: Markdown reads nothing in it
        yield ""


def _printable(text):
    return "".join(c if c.isprintable() else "?" for c in text)


def _replace(file, write):
    unfinished = file.with_name(f"{file.name}.new")
    try:
        with open(unfinished, "w", encoding="utf-8", errors="backslashreplace", newline="") as out:
            write(out)
        os.replace(unfinished, file)
    except OSError as error:
        raise Fault(f"{file} cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
