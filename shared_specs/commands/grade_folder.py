"""The command that marks a folder of submissions."""

import sys
from collections.abc import Callable
from typing import Any

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.output import print_json

OF_A_FOLDER = ("csv", "rubric", "feedback", "jobs")
OF_A_FILE = ("strict", "solution")
SHOWN_COMMENT = 100  # characters in the table


def flag_of(command: Any, names: tuple[str, ...]) -> str:
    """The first of these options that the command line has, as it is written; empty if none."""
    return next((f"--{name}" for name in names if getattr(command, name)), "")


def grade_folder(command: Any, limits: Any, one_topic: Callable[[str], str], progress: Callable) -> int:
    """0 if every submission has a mark, 1 if one has none by no fault of its own.  Raises UsageError, or Fault for bad data.

    command: the options of `grade`. one_topic(text): the topic's path. progress(title): a bar.
    """
    from shared_specs.grading.classroom.class_marks import (
        feedback_file,
        full,
        number,
        require_replaceable,
        write_csv,
        write_feedback,
    )
    from shared_specs.grading.classroom.folder import Marking, mark_folder
    from shared_specs.grading.classroom.submissions import students
    from shared_specs.grading.classroom.unfinished import unfinished_marks
    from shared_specs.grading.recorded_answers import judges_by_record, recorded_reference
    from shared_specs.stopping import process_count

    folder = command.file
    if command.jobs < 0:
        raise UsageError(f"--jobs {command.jobs}: give 0 (one process for each core) or a positive number")
    if flag := flag_of(command, OF_A_FILE):
        raise UsageError(f"{flag} marks one file, and {folder} is a folder")
    rubric = _rubric(command, one_topic)
    names = students(folder)
    if not names:
        raise UsageError(f"{folder} has no submissions: each file or folder in it is one student's")
    require_replaceable(command.csv, "student,file,points,", folder)
    for student in names if command.feedback else ():
        require_replaceable(feedback_file(command.feedback, student), "# Feedback for ", folder)
    if command.feedback and command.feedback.exists() and not command.feedback.is_dir():
        raise UsageError(f"--feedback {command.feedback} is a file: give a folder")
    recorded = judges_by_record(command.recorded)
    if recorded:
        recorded_reference(rubric.topic)
    places = [folder, *([command.feedback] if command.feedback else [])]
    marking = Marking(rubric, limits, recorded, tuple(place.resolve() for place in places))
    with unfinished_marks(command.csv) as unfinished, progress(f"marking {rubric.topic}") as bar:
        if unfinished.count:
            print(f"going on: {unfinished.count} submissions were marked before the interruption", file=sys.stderr)
        marks = mark_folder(folder, marking, min(process_count(command.jobs), len(names)), unfinished, bar)
        if command.csv:
            write_csv(command.csv, rubric, marks)
    if command.feedback:
        write_feedback(command.feedback, rubric, marks, recorded, command.hints)
    if command.json:
        print_json({"schema": 1, "topic": rubric.topic, "out_of": full(rubric), "marks": [each.as_dict() for each in marks]})
    else:
        _print(rubric, marks, bool(command.csv or command.feedback), recorded)
        mean = sum(each.total for each in marks) / len(marks)
        print(f"{len(marks)} submissions, {number(mean)} of {number(full(rubric))} points on average")
    for place in (command.csv, command.feedback):
        if place:
            print(f"wrote {place}", file=sys.stderr)
    return int(any(each.broken for each in marks))


def _rubric(command, one_topic):
    """The rubric, of a file or of the options."""
    from shared_specs.grading.against import functions_of
    from shared_specs.grading.classroom.rubric import equal_points, read_toml, rubric_of
    from shared_specs.grading.exercise import in_order

    if command.rubric:
        if command.only:
            raise UsageError("--rubric names the functions to mark: leave out --only")
        said = read_toml(command.rubric)
        topic = one_topic(said["topic"])
        if command.topic and one_topic(command.topic) != topic:
            raise UsageError(f"--topic {command.topic}: {command.rubric} is about {topic}")
        return rubric_of(command.rubric, said, topic)
    if not command.topic:
        raise UsageError(f"{command.file} is a folder: name the topic of its submissions with --topic or --rubric")
    topic = one_topic(command.topic)
    functions = in_order(topic, list(functions_of(topic)))
    if command.only not in (None, *functions):
        raise UsageError(f"--only {command.only}: {topic} has no such function; {nearest(command.only, functions)}")
    return equal_points(topic, [command.only] if command.only else functions)


def _print(rubric, marks, short, recorded):
    from rich.table import Table
    from rich.text import Text

    from shared_specs.grading.classroom.class_marks import comment_of, full, number
    from shared_specs.grading.recorded_answers import NOT_RECORDED
    from shared_specs.terminal import print_table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("student", "points"):
        table.add_column(title, no_wrap=True)
    table.add_column("comment")
    for each in marks:
        comment = comment_of(each)
        if short and len(comment) > SHOWN_COMMENT:
            comment = f"{comment[: SHOWN_COMMENT - 3]}..."
        name = "".join(c if c.isprintable() else "?" for c in each.student)
        points = "not marked" if each.broken else f"{number(each.total)} of {number(full(rubric))}"
        table.add_row(Text(name), points, Text(comment))
    print_table(table)
    if recorded:
        print(f"not judged: {NOT_RECORDED}")
