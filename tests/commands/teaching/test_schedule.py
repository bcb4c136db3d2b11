"""The schedule of the lectures: every lecture once and in order, evenly over the weeks, as Markdown, CSV and JSON."""

import csv
import io
import json
import re
from collections import Counter
from itertools import pairwise

import pytest

from practice_torch.commands.recipes import recipe_names
from shared_specs.__main__ import main
from shared_specs.commands.schedule import schedule
from shared_specs.syllabus import load


@pytest.mark.parametrize("weeks", [None, 1, 5, 14, 28, 56])
def test_every_lecture_is_in_one_week_and_weeks_are_even(weeks):
    rows = schedule(weeks, None)
    week_of = {row["lecture"]: row["week"] for row in rows}
    assert list(week_of) == [lecture.number for lecture in load().lectures]
    assert all(before <= after for before, after in pairwise(week_of.values()))
    counts = Counter(week_of.values())
    assert set(counts) == set(range(1, (weeks or 28) + 1)) and max(counts.values()) - min(counts.values()) <= 1


def test_every_topic_of_a_lecture_has_its_commands():
    rows = schedule(None, None)
    assert [(row["lecture"], row["topic"]) for row in rows] == [
        (lecture.number, path) for lecture in load().lectures for path in lecture.topics
    ]
    for row in rows:
        recipes = recipe_names(row["topic"])  # what the practice wing lists
        assert row["train"] == (f"python -m practice_torch train {row['topic']} {recipes[0]}" if recipes else "")
        named = [words.partition(" ")[0] for words in row["builds_on"]]
        assert named == list(load().topics[row["topic"]].requires)
        later = [words for words in row["builds_on"] if words.endswith("which comes later)")]
        assert later == [w for w in row["builds_on"] if (n := re.search(r"lecture (\d+)", w)) and int(n[1]) > row["lecture"]]
    assert any(row["train"] for row in rows) and any("in no lecture" in words for row in rows for words in row["builds_on"])


def test_the_formats_say_the_same(capsys):
    words = ["schedule", "--start", "2027-01-11", "--weeks", "14"]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["schedule"]
    assert {row["begins"] for row in rows if row["week"] == 2} == {"2027-01-18"}
    assert main([*words, "--csv"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [
        {name: str(value) for name, value in row.items()} | {"builds_on": "; ".join(row["builds_on"])} for row in rows
    ] == read
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"(?m)^## Week (\d+), from", printed) == [str(week) for week in range(1, 15)]
    assert re.findall(r"(?m)^### (\d+)\.", printed) == [str(lecture.number) for lecture in load().lectures]
    assert all(row["exercise"] in printed and row["train"] in printed for row in rows)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--weeks", "0"], "--weeks is 0; it must be 1 to 56"),
        (["--weeks", "57"], "--weeks is 57; it must be 1 to 56"),
        (["--start", "11.1.2027"], "--start '11.1.2027' is no date: write it as 2027-01-11"),
        (["--start", "9999-12-01"], "--start 9999-12-01: the last of 28 weeks is after the year 9999"),
        (["--csv", "--json"], "give one of them"),
    ],
)
def test_a_mistake_is_one_line(words, error, capsys):
    assert main(["schedule", *words]) == 2
    printed = capsys.readouterr()
    assert error in printed.err and len(printed.err.splitlines()) == 1 and not printed.out
