"""Exams: questions drawn with a seed, balanced over levels and topics, with executed answers on another sheet."""

import re
from collections import Counter
from types import SimpleNamespace

import pytest

from tests.support.commands.other_derivations import put
from tests.theory.test_parts import whole
from theory_jax.__main__ import main
from theory_jax.commands.exam import drawn

TOPIC = "foundations/jensen"
LEVELS = ["easy", "medium", "hard"]


def pool(**counts):
    """(topic, exercise) of topics, each with these many of every level."""
    return [
        (topic, SimpleNamespace(level=level, name=f"{topic}-{level}-{number}"))
        for topic, many in counts.items()
        for level in LEVELS
        for number in range(many)
    ]


def names(chosen):
    return [exercise.name for _, exercise in chosen]


def test_a_seed_is_an_exam():
    there = pool(a=5, b=5)
    exams = {seed: names(drawn(there, 6, seed, LEVELS)) for seed in range(20)}
    assert all(names(drawn(there, 6, seed, LEVELS)) == exam for seed, exam in exams.items())
    assert len(set(map(tuple, exams.values()))) == 20
    assert exams[1][:3] == ["b-easy-4", "b-easy-3", "a-medium-3"]  # pinned: tomorrow's exam with this seed is today's


def test_levels_and_topics_are_balanced_and_nothing_is_drawn_twice():
    there = pool(a=4, b=4, c=4)
    for count in range(1, len(there) + 1):
        chosen = drawn(there, count, 7, LEVELS)
        assert len(set(names(chosen))) == count
        for of in (Counter(topic for topic, _ in chosen), Counter(exercise.level for _, exercise in chosen)):
            assert count < 3 or max(of.values()) - min(of.values()) <= 1
        levels = [LEVELS.index(exercise.level) for _, exercise in chosen]
        assert levels == sorted(levels)


def test_where_a_level_is_short_the_others_fill_up():
    there = [one for one in pool(a=4) if one[1].level == "easy" or one[1].name == "a-hard-0"]
    assert Counter(exercise.level for _, exercise in drawn(there, 5, 0, ["easy", "hard"])) == {"easy": 4, "hard": 1}


# ---------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def toy(monkeypatch):
    """A topic with five exercises of its own."""
    toy = whole(title="A toy <b>")
    toy.parts[:] = [part for part in toy.parts if not hasattr(part, "question")]
    for number, level in enumerate(("easy", "easy", "medium", "medium", "hard")):
        question, answer = f"How much is $x_{number}$ & <why>?", f"It is {number}.5."
        toy.exercise(question, answer, level=level, hint=f"Halve {2 * number + 1}.")(lambda n=number: [(n + 0.5, f"{n}.5")])
    put(monkeypatch, TOPIC, toy)
    return toy


def test_questions_and_answers_are_on_two_sheets(toy, tmp_path, capsys):
    sheets = [tmp_path / "exam.html", tmp_path / "answers.html"]
    words = ["exam", TOPIC, "--seed", "1", "--count", "4", "--html", str(sheets[0]), "--answers", str(sheets[1])]
    assert main(words) == 0
    questions, answers = (path.read_text(encoding="utf-8") for path in sheets)
    asked = re.findall(r"<msub><mi>x</mi><mrow><mn>(\d)", questions) or re.findall(r"<mi>x</mi><mn>(\d)", questions)
    assert len(asked) == len(set(asked)) == 4
    for number in asked:
        assert f"It is {number}.5." in answers and f"It is {number}.5." not in questions
    assert "Halve" in answers and "Halve" not in questions and answers.count("1 number computed") == 4
    assert "Two states." in questions and "A law." in questions and "seed 1" in questions and "&lt;why&gt;" in questions
    for text in (questions, answers):
        assert "<script" not in text and "$" not in text.split("</style>")[1] and not re.search(r"url\((?!data:)|src=", text)
    assert "exam.html: 4 questions" in capsys.readouterr().out
    assert main(words) == 2 and "exam.html exists already" in capsys.readouterr().err


def test_without_a_file_the_questions_are_markdown(toy, tmp_path, capsys):
    answers = tmp_path / "answers.md"
    assert main(["exam", TOPIC, "--level", "hard,easy", "--count", "3", "--answers", str(answers)]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"(?m)^(\d)\. \((\w+), ", printed) == [("1", "easy"), ("2", "easy"), ("3", "hard")]
    assert "$x_4$ & <why>?" in printed and "4.5" not in printed and "- $p_{k}$: a law" in printed
    assert "3. (hard, foundations/jensen) How much" in answers.read_text(encoding="utf-8") and "It is 4.5." in answers.read_text()


def test_an_answer_that_does_not_hold_is_no_exam(toy, tmp_path, capsys):
    toy.exercise("Wrong?", "It is 0.5.", level="hard", hint="No.")(lambda: [(0.25, "0.5")])
    assert main(["exam", TOPIC, "--level", "hard", "--count", "2", "--html", str(tmp_path / "exam.html")]) == 1
    assert "an answer does not hold: foundations/jensen: Wrong?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "no topic given"),
        (["no_such_topic"], "no topic 'no_such_topic'"),
        (["99"], "no lecture 99"),
        ([TOPIC, "--count", "6"], "--count 6: foundations/jensen has 5 exercises of level easy, medium, hard"),
        ([TOPIC, "--count", "2", "--level", "hard"], "--count 2: foundations/jensen has 1 exercise of level hard"),
        ([TOPIC, "--count", "0"], "--count is 0; it must be 1 or more"),
        ([TOPIC, "--seed", "-1"], "--seed is -1; it must be 0 or more"),
        ([TOPIC, "--level", "medum"], "--level 'medum': did you mean medium?"),
        ([TOPIC, "--level", ","], "--level is empty; give easy, medium, hard, or some of them"),
        ([TOPIC, "--html", "{}/a.html", "--answers", "{}/a.html"], "the answers need a file of their own"),
        ([TOPIC, "--answers", "{}/a.pdf"], "a.pdf must end in .html or .md"),
        ([TOPIC, "--html", "{}/none/a.html"], "there is no folder"),
        ([TOPIC, "--count", "1", "--html", "{}/" + 300 * "a" + ".html"], "name too long"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(toy, tmp_path, words, error, capsys):
    assert main(["exam", *(word.format(tmp_path) for word in words)]) == (3 if error == "name too long" else 2)
    printed = capsys.readouterr()
    assert error.lower() in printed.err.lower() and len(printed.err.splitlines()) == 1 and not printed.out
    assert list(tmp_path.iterdir()) == []


def test_if_the_answers_cannot_be_written_there_are_no_questions(toy, tmp_path, capsys):
    (tmp_path / "answers.md").symlink_to(tmp_path / "nowhere")
    words = ["--html", str(tmp_path / "exam.html"), "--answers", str(tmp_path / "answers.md")]
    assert main(["exam", TOPIC, "--count", "1", *words]) == 2
    assert "answers.md cannot be written: File exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["answers.md"]
