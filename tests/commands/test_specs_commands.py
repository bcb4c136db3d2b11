"""python -m shared_specs: list, check, exercise, export, as a person meets them."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import ValidationError, validate

from shared_specs import __main__ as command
from shared_specs.checking import wings
from shared_specs.commands.archive import archive
from shared_specs.commands.bug_kinds import KINDS
from shared_specs.grading.against import functions_of
from shared_specs.grading.exercise import stub, topic_of
from shared_specs.syllabus import load
from tests.support.commands.documentation import code_of_the_documentation

ROOT = Path(__file__).parents[2]
TOPIC = "foundations/maximum_likelihood"
pytestmark = pytest.mark.xdist_group("specs commands")


def run(capfd, *arguments):
    """(exit code, stdout, stderr) of a command in this process."""
    code = command.main(list(arguments))
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return code, out, err


VERBS = ["list", "show", "check", "exercise", "grade", "export"]


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb, capfd):
    """Every command explains itself."""
    with pytest.raises(SystemExit) as stopped:
        command.main([verb, "--help"])
    out, err = capfd.readouterr()
    assert stopped.value.code == 0 and f"{verb} [-h]" in out and err == ""


def test_neither_help_nor_a_spec_imports_a_backend():
    """A spec can be read where neither framework is installed, and help comes quickly: measured in a fresh interpreter."""
    code = (
        "import sys, shared_specs.checking.check, shared_specs.rows, shared_specs.syllabus\n"
        "import shared_specs.foundations.maximum_likelihood\n"
        "from shared_specs.__main__ import main\n"
        f"for verb in {VERBS}:\n"
        "    try: main([verb, '--help'])\n"
        "    except SystemExit: pass\n"
        "print([m for m in ('torch', 'jax', 'flax', 'theory_jax', 'practice_torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_list_shows_what_is_built_and_what_is_planned(planned_topics, capfd):
    """All lectures; nothing pretends."""
    code, out, _ = run(capfd, "list", "--json")
    topics = {row["topic"]: row for row in json.loads(out)["topics"]}
    assert code == 0 and topics[TOPIC]["state"] == "built" and {topics[path]["state"] for path in planned_topics} == {"planned"}
    assert {n for row in topics.values() for n in row["lectures"]} == set(range(1, 57))


def test_show_prints_formulas_rows_and_near_misses(capfd):
    """Of every function of a topic, its laws and its networks; of one function alone."""
    code, out, _ = run(capfd, "show", "latent/vae")
    assert code == 0 and "1/2 sum_l [ mean^2 + e^log_var - 1 - log_var ]" in out and "near miss: forgets the half" in out
    assert "negative_elbo(x, logits, mean, log_var)" in out and "the prior costs exactly nothing" in out
    assert "VariationalAutoencoder, two hidden layers" in out and "[edge: a divergence" in out
    code, out, _ = run(capfd, "show", "latent/vae", "--only", "negative_elbo")
    assert code == 0 and "near miss: the ELBO itself" in out and "kl_to_standard_normal(mean" not in out and "laws" not in out


def test_check_as_json(capfd):
    """Both precisions, every comparison, the verdict."""
    code, out, _ = run(capfd, "check", "maximum_likelihood", "--backend", "torch", "--json", "--jobs", "1")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["schema"] == 1
    assert {r["precision"] for r in report["results"]} == {"float64", "float32"}
    assert report["topics"][0]["rows"] >= 40 and report["topics"][0]["worst_float64"] <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "maximum_likelyhood"), "did you mean foundations/maximum_likelihood"),
        (("check", "99"), "lectures 1..56"),
        (("check", "foundations/unbuilt_urn"), "planned"),
        (("check", "--jobs", "-1"), "--jobs -1"),
        (("check", "--against", "x.py", "--backend", "jax"), "--against"),
        *(
            (("check", *option), f"{option[0]} needs --against")
            for option in (
                ("--strict",),
                ("--rename", "q=query"),
                ("--precision", "float32"),
                ("--values-only",),
                ("--without-gradient", "x"),
                ("--memory-mib", "64"),
            )
        ),
        (("check", "latent/vae", "--against", "x.py", "--rename", "q"), "--rename q: give OURS=YOURS"),
        (("check", "latent/vae", "--against", "x.py", "--rename", "q=a", "--rename", "q=b"), "q is renamed to a already"),
        (("check", "latent/vae", "--against", "x.py", "--memory-mib", "0"), "--memory-mib 0: it must be positive"),
        (("show", "vay"), "no topic"),
        (("show", "unbuilt_urm"), "no topic 'unbuilt_urm'; `list` shows them all"),
        (
            ("show", "unbuilt"),
            "it is part of these, which are planned, not built yet: foundations/unbuilt_coin, foundations/unbuilt_urn",
        ),
        (("show", "18", "--only", "kl"), "--only kl: latent/vae has no such function; there are"),
        (("exercise", "1x"), "no topic"),
        ((), "which command?"),
        (("lst",), "did you mean list"),
        (("--jsn",), "--jsn"),
        (("list", "--jsn"), "did you mean --json"),
        (("grade",), "PATH"),
        (("grade", "x.py", "y.py"), "'y.py'"),
        (("grade", "x.py", "--seconds", "soon"), "--seconds"),
        (("grade", "x.py", "--seconds", "nan"), "--seconds nan"),
        (("grade", "x.py", "--seconds", "inf"), "--seconds inf"),
        (("grade", "x.py", "--memory-mib", str(10**30)), "--memory-mib"),
        (("check", "--backend", "fortran"), "fortran"),
        (("exercise", "jensen", "--backend", "numpy"), "bregman_divergence"),
        (("exercise", "jensen", "--output", "a\0b.py"), "cannot write"),
        (("export", "somewhere", "--topics", "nothing_at_all"), "no topic"),
    ],
)
@pytest.mark.usefixtures("planned_topics")
def test_usage_errors(capfd, arguments, said):
    """One line, exit code 2."""
    code, _, err = run(capfd, *arguments)
    assert code == 2 and err.startswith("error: ") and said in err and err.count("\n") == 1


RIGHT = """
import torch
def kl_divergence(log_probs_p, log_probs_q):
    p = log_probs_p.exp()
    return torch.where(p > 0, p * (torch.where(p > 0, log_probs_p, 0.0) - torch.where(p > 0, log_probs_q, 0.0)), 0.0).sum(-1)
"""


def _against(tmp_path, capfd, source, *more):
    path = tmp_path / "mine.py"
    path.write_text(source)
    return run(capfd, "check", "maximum_likelihood", "--against", str(path), *more)


def test_against_a_right_file(tmp_path, capfd):
    """One function of many: it passes; missing functions and missing rejections are reported."""
    code, out, err = _against(tmp_path, capfd, RIGHT)
    assert code == 0 and "holds" in out and "mine.py: empirical_distribution" in err and "accepts bad input" in err
    assert _against(tmp_path, capfd, RIGHT, "--strict")[0] == 1


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        (RIGHT.replace("p * (", "(p / 0.6931471805599453) * ("), 1, "bits"),
        (RIGHT.replace(".sum(-1)", ".sum(-1, keepdim=True)"), 1, "shape [5, 1]; expected [5]"),
        (RIGHT.replace(".sum(-1)", ".sum(-1).half()"), 1, "float16"),
        (RIGHT.replace("return torch", "return None and torch"), 1, "returned None"),
        ("def kl_divergence(:", 3, "line 1"),
        ("import nothing_of_this_name", 3, "does not load"),
        ("def something_else(): pass", 2, "defines no function of foundations/maximum_likelihood (such as "),
        ("def something_else(): pass", 2, "--rename OURS=YOURS checks a function that has another name"),
    ],
)
def test_against_a_file_that_fails(tmp_path, capfd, source, code, said):
    """Wrong answers exit 1, files that cannot be used 2 or 3, each with its reason."""
    got, out, err = _against(tmp_path, capfd, source)
    assert got == code and said in out + err


def test_against_a_missing_file(tmp_path, capfd):
    """Bad data."""
    code, _, err = run(capfd, "check", "--against", str(tmp_path / "none.py"))
    assert code == 3 and "not a file" in err


def test_exercise_writes_a_stub_and_never_overwrites(tmp_path, capfd):
    """Signatures and docstrings of every function, and a topic that grade finds."""
    path = tmp_path / "mine.py"
    assert run(capfd, "exercise", "maximum_likelihood", "--output", str(path))[0] == 0
    text = path.read_text()
    names = re.findall(r"^def (\w+)", text, re.M)
    assert len(names) == 8 and text.count("raise NotImplementedError") == 8 and f'TOPIC = "{TOPIC}"' in text
    compile(text, str(path), "exec")
    code, _, err = run(capfd, "exercise", "maximum_likelihood", "--output", str(path))
    assert code == 2 and "not overwritten" in err and path.read_text() == text
    assert run(capfd, "exercise", "maximum_likelihood", "--output", str(tmp_path / "no" / "x.py"))[0] == 2


@pytest.mark.parametrize("name", ['a "quoted" name.py', '"""\\N.py', "a\nline.py", "it's.py", "größe.py"])
def test_an_exercise_may_have_any_name(tmp_path, capfd, name):
    """The exercise is valid Python, and explains how to grade it."""
    path = tmp_path / name
    assert run(capfd, "exercise", "jensen", "--output", str(path))[0] == 0
    compile(path.read_text(), "exercise", "exec")
    assert topic_of(path) == "foundations/jensen"


@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_topic_has_an_exercise(topic):
    """In every backend that can solve it: NumPy is offered where nothing is differentiated."""
    names = list(functions_of(topic))
    for backend in ("jax", "torch", None):
        text = stub(topic, "title", names, "x.py", backend)
        compile(text, "x.py", "exec")
        assert re.findall(r"^def (\w+)", text, re.M) == names and ("import torch" in text) == (backend == "torch")


def test_functions_come_after_those_that_they_call(tmp_path, capfd):
    """In an exercise, and in its marks: the logits of preferences before the loss of them, which a spec may begin with."""
    assert list(functions_of("preference/dpo"))[0] == "dpo_loss"
    path = tmp_path / "mine.py"
    assert run(capfd, "exercise", "preference/dpo", "--output", str(path), "--backend", "numpy")[0] == 0
    names = re.findall(r"^def (\w+)", path.read_text(), re.M)
    assert names[:3] == ["preference_logits", "dpo_loss", "robust_dpo_loss"]
    _, out, _ = run(capfd, "grade", str(path))
    assert [line.split()[0] for line in out.splitlines()[1 : 1 + len(names)]] == names


def test_numpy_is_not_offered_where_a_function_is_differentiated():
    """By name, and in the default."""
    text = stub("foundations/jensen", "title", list(functions_of("foundations/jensen")), "x.py")
    assert "derivatives: bregman_divergence." in text and "import jax" in text
    assert "import numpy" in stub("autoregressive/ngram", "title", ["ngram_counts"], "x.py")


def test_a_killed_process_of_a_check_is_one_line(capfd, monkeypatch):
    """As when memory runs out."""
    monkeypatch.setattr(wings, "_alone_on_a_core", end_at_once)
    code, _, err = run(capfd, "check", "maximum_likelihood", "jensen", "--jobs", "2")
    assert code == 3 and "was killed" in err and err.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_line(capfd):
    """As its name is too long."""
    code, _, err = run(capfd, "export", "a" * 300, "--topics", TOPIC)
    assert code == 3 and "too long" in err and err.count("\n") == 1


def end_at_once(backends):
    os.kill(os.getpid(), signal.SIGKILL)


def test_export_is_read_and_compared_by_the_code_in_the_documentation(tmp_path, capfd):
    """The lines of docs/export.md, run on what export wrote: the practice wing holds in every case, a wrong function in none."""
    import torch

    from practice_torch.foundations import maximum_likelihood as practice

    def divergence(log_probs_p, log_probs_q):
        return practice.kl_divergence(torch.tensor(log_probs_p), torch.tensor(log_probs_q)).numpy()

    before = os.umask(0o027)
    try:
        assert run(capfd, "export", str(tmp_path / "out"), "--topics", TOPIC, "--archive", str(tmp_path / "one.tar.xz"))[0] == 0
    finally:
        os.umask(before)
    _require_schema(tmp_path / "out")
    digest = hashlib.sha256((tmp_path / "one.tar.xz").read_bytes()).hexdigest()
    assert (tmp_path / "one.tar.xz.sha256").read_text() == f"{digest}  one.tar.xz\n"
    for path in (tmp_path / "out").rglob("*"):
        os.utime(path, (0, 0))
    assert archive(tmp_path / "out", tmp_path / "two.tar.xz") == digest  # of contents, not of times
    written = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in written} == {"0o750", "0o640"}  # as the umask asks
    documented = code_of_the_documentation()
    cases, arrays = documented["read"](tmp_path / "out", TOPIC)
    assert {case["kind"] for case in cases} == {"agree", "anchor"}
    verdicts = [holds for *_, holds in documented["compare"]({"kl_divergence": divergence}, cases, arrays)]
    assert len(verdicts) >= 3 and all(verdicts)
    swapped = {"kl_divergence": lambda log_probs_p, log_probs_q: divergence(log_probs_q, log_probs_p)}
    regular = {case: holds for _, case, holds in documented["compare"](swapped, cases, arrays)}
    assert regular["regular"] is False
    damaged = tmp_path / "out" / f"{TOPIC}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ValueError, match="checksum"):
        documented["read"](tmp_path / "out", TOPIC)


def _require_schema(directory):
    """The exported JSON Schema holds for the cases and for the manifest, and refuses a kind of bug that it does not know."""
    schema = json.loads((directory / "schema.json").read_text())
    content, manifest = (json.loads((directory / name).read_text()) for name in (f"{TOPIC}.json", "manifest.json"))
    validate(content, schema)
    validate(manifest, schema["$defs"]["manifest"])
    assert schema["$defs"]["kind_of_bug"]["enum"] == list(KINDS)
    mistakes = [mistake for case in content["cases"] for mistake in case.get("near_misses", {}).values()]
    assert {mistake["kind"] for mistake in mistakes} > {"sign", "reduction"}
    mistakes[0]["kind"] = "typo"
    with pytest.raises(ValidationError):
        validate(content, schema)


def test_export_refuses_a_folder_in_use(tmp_path, capfd):
    """Nothing of the reader's is overwritten, and nothing is left half-written."""
    (tmp_path / "kept.txt").write_text("mine")
    code, _, err = run(capfd, "export", str(tmp_path), "--topics", TOPIC)
    assert code == 3 and "not an empty folder" in err
    code, _, err = run(capfd, "export", str(tmp_path / "kept.txt" / "below"), "--topics", TOPIC)
    assert code == 3 and [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_every_built_topic_can_be_found_by_its_lectures():
    """A lecture number leads to its rooms."""
    for topic in load().built:
        assert topic.lectures or topic.asked_for_by
