"""`python -m shared_specs schedule`: the lectures of the syllabus by weeks, with what each builds on, exercises and trainings.

Imports no backend: recipes are read from the sources.
"""

import ast
import csv
import datetime
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared_specs.commands.errors import UsageError
from shared_specs.syllabus import Lecture, Syllabus, load

EXPERIMENTS = Path(__file__).resolve().parents[2] / "practice_torch" / "experiments"
PER_WEEK = 2  # lectures, unless the weeks are given


def schedule(weeks: int | None, start: str | None, syllabus: Syllabus | None = None) -> list[dict[str, Any]]:
    """A record for each topic of each lecture, in order. UsageError for weeks or a start that cannot be.

    The lectures are spread evenly: no week has two more than another.
    """
    syllabus = syllabus or load()
    count = len(syllabus.lectures)
    weeks = -(-count // PER_WEEK) if weeks is None else weeks
    if not 1 <= weeks <= count:
        raise UsageError(f"--weeks is {weeks}; it must be 1 to {count}, the number of lectures")
    dates = _dates(weeks, start)
    rows = []
    for place, lecture in enumerate(syllabus.lectures):
        week = place * weeks // count + 1
        of_lecture = {"week": week, "begins": dates[week - 1], "lecture": lecture.number, "title": lecture.title}
        rows += [of_lecture | entry for entry in _topics(lecture, syllabus)]
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """A heading for each week and each lecture, and a list of its topics."""
    lines = ["# Schedule of the lectures"]
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None or row["week"] != before["week"]:
            lines += ["", f"## Week {row['week']}" + (f", from {row['begins']}" if row["begins"] else "")]
        if before is None or row["lecture"] != before["lecture"]:
            lines += ["", f"### {row['lecture']}. {row['title']}", ""]
        lines.append(f"- `{row['topic']}`: {row['about']}")
        if row["builds_on"]:
            lines.append(f"  - builds on {', '.join(row['builds_on'])}")
        lines.append(f"  - exercise: `{row['exercise']}`")
        if row["train"]:
            lines.append(f"  - training: `{row['train']}`")
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> str:
    """Comma-separated values with a header; several prerequisites are separated by semicolons."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"builds_on": "; ".join(row["builds_on"])} for row in rows)
    return text.getvalue().rstrip("\n")


def _topics(lecture: Lecture, syllabus: Syllabus) -> Iterator[dict[str, Any]]:
    for path in lecture.topics:
        topic = syllabus.topics[path]
        recipes = _recipes(path)
        yield {
            "topic": path,
            "about": topic.title,
            "builds_on": [_placed(syllabus.topics[other], lecture) for other in topic.requires],
            "exercise": f"python -m shared_specs exercise {path}",
            "train": f"python -m practice_torch train {path} {recipes[0]}" if recipes else "",
        }


def _placed(topic, lecture):
    """A prerequisite and its lecture; it may come later in the course, or be in none."""
    if not topic.lectures:
        return f"{topic.path} (in no lecture)"
    first = min(topic.lectures)
    return f"{topic.path} (lecture {first}{', which comes later' if first > lecture.number else ''})"


def _recipes(path):
    """The names of a topic's recipes, the smallest first, as they are written in its experiment."""
    file = EXPERIMENTS / f"{path}.py"
    source = file.read_text(encoding="utf-8") if file.is_file() else ""
    of_name = {
        getattr(node.targets[0], "id", None): node.value for node in ast.parse(source).body if isinstance(node, ast.Assign)
    }
    keys = getattr(of_name.get("RECIPES"), "keys", ())  # of a dictionary as it is written
    return [key.value for key in keys if isinstance(key, ast.Constant)]


def _dates(weeks, start):
    """The first day of each week, as it is written in ISO 8601; without a start, empty."""
    if start is None:
        return [""] * weeks
    try:
        first = datetime.date.fromisoformat(start)
    except ValueError:
        raise UsageError(f"--start {start!r} is no date: write it as 2027-01-11") from None
    try:
        return [(first + datetime.timedelta(weeks=week)).isoformat() for week in range(weeks)]
    except OverflowError:
        raise UsageError(f"--start {start}: the last of {weeks} weeks is after the year {datetime.MAXYEAR}") from None
