"""grade FOLDER: a mark and a comment for every submission, whatever it does, and the same ones each time."""

import csv
import os
import textwrap

import pytest

from shared_specs import __main__ as command
from shared_specs.checking.implementation import Fault
from shared_specs.grading.classroom import folder as marking
from shared_specs.grading.classroom.class_marks import FEEDBACK
from shared_specs.grading.classroom.mark_submission import Marked
from shared_specs.grading.classroom.rubric import Rubric, read_toml, rubric_of
from shared_specs.grading.classroom.submissions import read_submission, students
from shared_specs.grading.classroom.unfinished import Unfinished
from shared_specs.grading.process import Limits
from tests.specs.test_grade import RIGHT, TOPIC

pytestmark = pytest.mark.xdist_group("grade_folder")

ONE = "leave_one_out_advantage"
RUBRIC = f'topic = "{TOPIC}"\n[functions]\n{ONE} = 3\n[input_checks]\n{ONE} = 1\n'
MEAN = f"import numpy as np\ndef {ONE}(values):\n    S = values.shape[1]\n"
ANSWER = "    return values - (values.sum(1, keepdims=True) - values) / (S - 1)\n"

# What each student hands in: the file, the points, and what the comment says.
CLASS = {
    "binary.py": (bytes(range(256)), "0", "binary.py is not text in UTF-8"),
    "bom.py": ("\ufeff" + RIGHT, "4", ""),
    "empty.py": ("\n", "0", "empty.py is empty"),
    "hangs.py": ("import time\ntime.sleep(60)", "0", "hangs.py does not load: took more than 2 s"),
    "kills.py": (
        f"import ctypes, os, signal\ndef {ONE}(values): ctypes.CDLL(None).kill(os.getppid(), 9)",
        "0",
        "the process ended by signal 9",
    ),
    "names.py": (MEAN.replace(ONE, "advantage") + ANSWER, "0", f"not in the file: {ONE}; it has advantage"),
    "notes.txt": ("done", "0", "notes.txt is not a Python file"),
    "prints.py": (f"def {ONE}(values):\n    for _ in range(50): print('x' * 2**20)\n    return values", "0", "printed more than"),
    "sheet.ipynb": ("{}", "0", "is a notebook"),
    "syntax.py": ("x = 1\ndef f(:\n", "0", "syntax.py, line 2"),
    "tabs.py": (f"def {ONE}(values):\n\tif 1:\n        return values\n", "0", "tabs.py, line 3: inconsistent use of tabs"),
    "wrong.py": (f"def {ONE}(values): return values - values.mean(1, keepdims=True)", "0", f"{ONE}: "),
}

CHEATS = f"""
said = []
for attempt in (*tries, lambda: os.kill(os.getppid(), 9), lambda: __import__("socket").create_connection(("localhost", 9))):
    try: attempt()
    except PermissionError as error: said.append(str(error))
def {ONE}(values): raise RuntimeError("; ".join(said))
"""


def hand_in(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A class, marked once: (the exit code, the rows of the CSV by student, its text, the folder of everything)."""
    root = tmp_path_factory.mktemp("class").resolve()
    folder, outside = root / "submissions", root / "taken.txt"
    hand_in(folder, {name: content for name, (content, _, _) in CLASS.items()})
    tries = f"import os\ntries = [lambda: open({str(folder / 'bom.py')!r}), lambda: open({str(outside)!r}, 'w')]"
    hand_in(folder, {"cheats.py": f"{tries}\n{CHEATS}"})
    hand_in(folder, {"parts.py/start.py": "x = 1", "parts.py/work/mean.py": "from size import ONE\n" + MEAN + ANSWER})
    hand_in(folder, {"parts.py/work/size.py": "ONE = 1"})
    os.symlink("bom.py", folder / "link.py")
    os.mkfifo(folder / "pipe.py")
    (folder / "bare").mkdir()
    (root / "rubric.toml").write_text(RUBRIC)
    words = ["grade", str(folder), "--rubric", str(root / "rubric.toml"), "--csv", str(root / "marks.csv"), "--recorded"]
    words += ["--feedback", str(root / "feedback"), "--seconds", "2", "--jobs", "2"]
    code = command.main(words)
    text = (root / "marks.csv").read_text(encoding="utf-8")
    return code, {row["student"]: row for row in csv.DictReader(text.splitlines())}, text, root


def test_every_submission_has_its_mark_and_comment(marked):
    """Those that hang, crash or cheat stop no other, and write nowhere."""
    code, rows, _, root = marked
    assert code == 0
    for name, (_, points, said) in CLASS.items():
        row = rows[name.removesuffix(".py")]
        assert (row["file"], row["points"], row["out of"], row[ONE]) == (name, points, "4", points), row
        assert said in row["comment"] and bool(said) == bool(row["comment"]), row
        assert "/tmp" not in row["comment"] and "./" not in row["comment"], row
    for said in ("read other submissions", "write outside", "end other processes", "use the network"):
        assert f"cannot {said}" in rows["cheats"]["comment"]
    assert not (root / "taken.txt").exists()
    assert "link.py is a link" in rows["link"]["comment"] and "not a regular file" in rows["pipe"]["comment"]
    assert "without a Python file" in rows["bare"]["comment"]
    assert rows["parts.py"]["points"] == "3" and rows["parts.py"]["file"] == "work/mean.py"
    assert "input check: " in rows["parts.py"]["comment"]
    assert list(rows) == sorted(rows) and len(rows) == len(CLASS) + 5


def test_each_student_has_a_page(marked):
    """With the mark, what is wrong as literal text, and where the lecture speaks of it."""
    _, rows, _, root = marked
    pages = {path.stem: path.read_text() for path in (root / "feedback").iterdir()}
    assert set(pages) == set(rows) and all(page.startswith(FEEDBACK) for page in pages.values())
    assert "**4 of 4 points**" in pages["bom"] and "What is wrong" not in pages["bom"]
    assert f"| {ONE} | " in pages["wrong"] and f"\n    {rows['wrong']['comment'].split(' | ')[0]}\n" in pages["wrong"]
    assert "## Where the lecture speaks of it" in pages["wrong"]
    assert not list(root.glob("*.unfinished")) and not list(root.rglob("*.new"))


def test_an_interrupted_marking_goes_on(tmp_path, monkeypatch, capfd):
    """What was marked is not marked again, unless it has changed; the result is that of one without interruption."""
    folder, marks, asked = tmp_path / "class", tmp_path / "marks.csv", []
    hand_in(folder, {f"{name}.py": f"x = '{name}'" for name in "abcd"})

    def in_this_process(todo, how, count, place, done):
        for student, path in todo:
            if len(asked) == 2:
                asked.append("stop")
                raise KeyboardInterrupt
            asked.append(student)
            submission = read_submission(student, path, (ONE,))
            done(how.key(submission), Marked(student, path.name, {ONE: 1.0 + path.stat().st_size}))
        return [], []

    monkeypatch.setattr(marking, "mark_in_processes", in_this_process)
    words = ["grade", str(folder), "--topic", TOPIC, "--only", ONE, "--csv", str(marks), "--recorded"]
    with pytest.raises(KeyboardInterrupt):
        command.main(words)
    assert not marks.exists()
    (folder / "a.py").write_text("changed")
    with open(tmp_path / "marks.csv.unfinished", "a") as file:
        file.write('\n{"key": "cut in the mid')
    assert command.main(words) == 0
    assert asked == ["a", "b", "stop", "a", "c", "d"] and "going on: 2 submissions" in capfd.readouterr().err
    assert [line.split(",")[2] for line in marks.read_text().splitlines()[1:]] == ["8", "8", "8", "8"]
    assert not (tmp_path / "marks.csv.unfinished").exists()
    assert command.main(words) == 0 and len(asked) == 10  # complete: begins again


def test_a_submission_that_ends_the_process_that_marks_gets_its_mark(monkeypatch, tmp_path):
    """The others that were being marked then are marked again, each in its own process."""
    hand_in(tmp_path, {f"{name}.py": "" for name in "abcd"})
    alone = []

    def killed_by_b(todo, how, count, place, done):
        if "b" not in [student for student, _ in todo]:
            for student, path in todo:
                done(student, Marked(student, path.name, {ONE: 1.0}))
            return [], []
        alone.append([student for student, _ in todo])
        return (todo, []) if len(todo) == 1 else (todo[:2], todo[2:])

    monkeypatch.setattr(marking, "mark_in_processes", killed_by_b)
    how = marking.Marking(Rubric(TOPIC, {ONE: 1}), Limits(), True, ())
    marks = marking.mark_folder(tmp_path, how, 2, Unfinished(), lambda done, total: None)
    assert [each.total for each in marks] == [1, 0, 1, 1] and alone == [["a", "b", "c", "d"], ["b"]]
    assert marking.KILLED in marks[1].comments


def test_a_failure_of_our_own_is_no_mark(tmp_path, monkeypatch):
    """No points, exit code 1, and the next command marks it again."""
    folder, marks = tmp_path / "class", tmp_path / "marks.csv"
    hand_in(folder, {"=1+1.py": "x"})
    monkeypatch.setattr(marking, "mark_submission", lambda *_: 1 / 0)
    kept = []
    monkeypatch.setattr(Unfinished, "add", lambda self, key, marked: kept.append(marked))

    def here(todo, how, count, place, done):
        for each in todo:
            done(*marking.mark_entry(*each, how))
        return [], []

    monkeypatch.setattr(marking, "mark_in_processes", here)
    assert command.main(["grade", str(folder), "--topic", TOPIC, "--only", ONE, "--csv", str(marks), "--recorded"]) == 1
    (row,) = csv.DictReader(marks.read_text().splitlines())
    assert row["points"] == "" and row[ONE] == "" and "ZeroDivisionError" in row["comment"]
    assert kept == []  # the next command marks it again
    assert row["student"] == "'=1+1"  # which no spreadsheet computes


def test_a_rubric_says_what_counts(tmp_path):
    """And is refused where no student could earn its points."""
    path = tmp_path / "rubric.toml"

    def read(text):
        path.write_text(textwrap.dedent(text))
        return rubric_of(path, read_toml(path), TOPIC)

    begin = f'topic = "{TOPIC}"\n'
    rubric = read(f"{begin}[functions]\n{ONE} = 2.5\nreparameterize = 1\n[input_checks]\n{ONE} = 1\n")
    assert rubric.out_of(ONE) == 3.5 and rubric.out_of("reparameterize") == 1
    for text, said in {
        "": "no line topic",
        "x = ": "not TOML",
        f"{begin}functoins = 3": "did you mean functions",
        f"{begin}functions = 3": "not a table",
        begin: "gives no function points",
        f"{begin}[functions]\nleave_one_out = 3": f"did you mean {ONE}",
        f"{begin}[functions]\n{ONE} = true": "positive number",
        f"{begin}[functions]\n{ONE} = nan": "positive number",
        f"{begin}[functions]\n{ONE} = -1": "positive number",
        f"{begin}[functions]\n{ONE} = 1\n[input_checks]\nreparameterize = 1": "has no function reparameterize",
    }.items():
        with pytest.raises(Fault, match=said) as fault:
            read(text)
        assert "\n" not in str(fault.value)


def test_names_of_students(tmp_path):
    """Hidden files are nobody's; a name that would repeat keeps its ending."""
    hand_in(
        tmp_path, {"Zoe.py": "", "alice.py": "", "alice/x.py": "", ".hidden.py": "", "__pycache__/x.pyc": "", "b.py/x.py": ""}
    )
    assert list(students(tmp_path)) == ["alice", "alice.py", "b.py", "Zoe"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["class"], 2, "name the topic"),
        (["empty", "--topic", TOPIC], 2, "no submissions"),
        (["class", "--topic", TOPIC, "--strict"], 2, "--strict marks one file"),
        (["class", "--topic", TOPIC, "--only", "leave"], 2, "no such function"),
        (["class", "--topic", TOPIC, "--jobs", "-1"], 2, "--jobs -1"),
        (["class", "--topic", TOPIC, "--csv", "class/marks.csv"], 2, "is inside"),
        (["class", "--topic", TOPIC, "--feedback", "class"], 2, "is inside"),
        (["class", "--topic", TOPIC, "--csv", "names.csv"], 2, "not the result of an earlier marking"),
        (["class", "--topic", TOPIC, "--csv", "taken.csv"], 2, "not the file of an interrupted marking"),
        (["class", "--topic", TOPIC, "--feedback", "names.csv"], 2, "is a file"),
        (["class", "--rubric", "rubric.toml", "--only", ONE], 2, "leave out --only"),
        (["class", "--rubric", "rubric.toml", "--topic", "latent/elbo"], 2, "is about"),
        (["class", "--rubric", "absent.toml"], 3, "cannot be read"),
        (["class/a.py", "--csv", "marks.csv"], 2, "is not a folder"),
    ],
)
def test_usage(tmp_path, monkeypatch, capfd, words, code, said):
    """One line on stderr, before anything is marked or written."""
    monkeypatch.chdir(tmp_path)
    hand_in(tmp_path, {"class/a.py": "x = 1", "names.csv": "names\n", "taken.csv.unfinished": "mine", "rubric.toml": RUBRIC})
    (tmp_path / "empty").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(marking, "mark_in_processes", None)
    assert command.main(["grade", *words, "--recorded"]) == code
    error = capfd.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
