"""The commands of the derivations: the terminal page, JSON, and usage errors."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest
import sympy
from rich.cells import cell_len

from shared_specs.syllabus import load
from tests.support.commands.other_derivations import put
from tests.theory.test_derivation import FALSE, FORMS, TRUE, WRONG
from theory_jax.__main__ import main
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.prose import holds, prose

# ---------------------------------------------------------------------------------------------------- the page

WORDY = "A reason that is long enough to be wrapped into several lines, with [brackets] that are no markup, and a p/q. " * 3


@pytest.fixture
def in_place_of_jensen(monkeypatch):
    """Let foundations/jensen have another derivation."""

    return partial(put, monkeypatch, "foundations/jensen")


@pytest.fixture
def two_toys(in_place_of_jensen, monkeypatch):
    """Let foundations/jensen and foundations/maximum_likelihood have short derivations that hold."""
    in_place_of_jensen(derivation_with("numeric", "autodiff", bodies=TRUE))
    put(monkeypatch, "foundations/maximum_likelihood", derivation_with("numeric", bodies=TRUE))


def labeled(kind, bodies):
    """A step's body that labels its sides, with a wrong form."""
    return lambda: FORMS.get(kind, Sides)(*bodies[kind](), wrong={"a mistake": WRONG[kind]})


def derivation_with(*kinds, bodies):
    derivation = Derivation(title="A title", lectures=(5,), sources=("Somebody 1906",))
    derivation.symbol(r"\theta f a b p n", "letters")
    for kind in kinds:
        step = labeled(kind, bodies)
        step.__name__ = f"step_{kind}"
        getattr(derivation, kind)(r"\nabla_\theta \mathbb{E}[f] = \frac{a}{b}" + r" + \hat p_n" * 20, because=WORDY)(step)
    return derivation


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_page_fits_the_terminal_and_never_exceeds_80_columns(columns, in_place_of_jensen, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    in_place_of_jensen(derivation_with(*TRUE, bodies=TRUE))
    assert main(["run", "jensen"]) == 0
    page = capsys.readouterr().out
    lines = page.splitlines()
    assert max(map(cell_len, lines)) <= min(int(columns), 80)
    assert all(line == line.rstrip() for line in lines)
    for words in ("foundations/jensen · lecture 5", "A title", "Somebody 1906", "∇_θ 𝔼[f] = a/b + p̂ₙ", "[brackets]"):
        assert words in page
    assert page.count("✓") == len(TRUE) + 1
    assert "standard errors" in " ".join(page.split())


def test_a_failing_page_is_marked_clearly(in_place_of_jensen, capsys):
    in_place_of_jensen(derivation_with("numeric", "symbolic", bodies=TRUE | {"symbolic": FALSE["symbolic"]}))
    assert main(["run", "jensen"]) == 1
    page = capsys.readouterr().out
    assert "✗ 1 of 2 claims FAILED" in page
    assert "the difference simplifies to" in page


# ---------------------------------------------------------------------------------------------------- the commands


def test_json_is_complete(two_toys, capsys):
    assert main(["run", "foundations/jensen", "maximum_likelihood", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    derivations = answer["derivations"]
    assert answer["computed_by"] == "NumPy"
    assert [d["topic"] for d in derivations] == ["foundations/jensen", "foundations/maximum_likelihood"]
    assert derivations[0].keys() >= {"topic", "title", "lectures", "sources", "passed", "seconds", "summary", "claims"}
    claim = derivations[0]["claims"][0]
    assert (claim["number"], claim["part"], claim["kind"], claim["passed"], claim["error"]) == (1, "step", "checked", True, "")
    assert 0 <= claim["residual"] <= claim["tolerance"] and claim["words"].startswith("checked at 1 point")
    assert claim["claim"].startswith(r"\nabla_\theta") and claim["because"] == WORDY
    assert "[1/2] foundations/jensen" in said.err


def test_json_is_written_in_ascii(in_place_of_jensen, capsys):
    """A locale without Unicode loses no letter of it."""
    derivation = derivation_with("numeric", bodies=TRUE)
    derivation.title = "Erdős"
    in_place_of_jensen(derivation)
    assert main(["run", "jensen", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out)["derivations"][0]["title"] == "Erdős"


def test_json_of_a_failure_is_still_json(in_place_of_jensen, capsys):
    def prints():
        print("a step that prints")
        return jnp.nan, 1.0

    in_place_of_jensen(derivation_with("symbolic", "numeric", bodies={"symbolic": FALSE["symbolic"], "numeric": prints}))
    assert main(["run", "jensen", "--json"]) == 1
    said = capsys.readouterr()
    (derivation,) = json.loads(said.out)["derivations"]
    assert not derivation["passed"]
    assert [claim["residual"] for claim in derivation["claims"]] == [None, None]
    assert "a step that prints" in said.err


def test_a_topic_that_cannot_run_fails_in_one_line(in_place_of_jensen, capsys):
    in_place_of_jensen(Derivation(title="Nothing"))
    assert main(["run", "jensen"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.splitlines() == [
        "error: foundations/jensen does not run: ValueError: the derivation 'Nothing' has no steps; it must have at least one"
    ]
    with pytest.raises(ValueError, match="has no steps"):
        main(["run", "jensen", "--debug"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "jenson"], "did you mean foundations/jensen?"),
        (["run", "lecture"], "no topic 'lecture'"),
        (["run", "99"], "no lecture 99; the course has lectures 1..56"),
        (["run", "jensen", "0"], "no lecture 0"),
        (["run", ""], "an empty topic"),
        (["run", "foundations"], "not unique"),
        (["run"], "name topics"),
        (["run", "jensen", "--all"], "--all runs every topic"),
        (["run", "jensen", "--counts", "--html", "page.html"], "--counts prints a table"),
        (["run", "foundations/unbuilt_urn"], "foundations/unbuilt_urn is planned, not built yet"),
    ],
)
@pytest.mark.usefixtures("planned_topics")
def test_usage_errors_are_one_line_and_exit_with_2(arguments, words, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--al"], "--all"),
        (["runn"], "run"),
        ([], "list"),
        (["list", "--jsn"], "--json"),
        (["run", "5", "--seed", "1"], "--seed"),
    ],
)
def test_what_tyro_refuses_exits_with_2_and_suggests(arguments, words, capsys):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "usage: python -m theory_jax" in capsys.readouterr().out


def test_a_lecture_runs_its_topics_and_a_topic_named_twice_runs_once(two_toys, capsys):
    assert main(["run", "5", "jensen", "--json"]) == 0
    assert [d["topic"] for d in json.loads(capsys.readouterr().out)["derivations"]] == ["foundations/jensen"]


def test_planned_topics_among_built_ones_are_reported(two_toys, planned_topics, capsys):
    assert main(["run", "jensen", *planned_topics, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["planned"] == list(planned_topics)
    assert all(f"{path}: planned, not built yet" in said.err for path in planned_topics)


def test_several_topics_end_in_a_summary(two_toys, in_place_of_jensen, capsys):
    in_place_of_jensen(derivation_with("numeric", bodies=FALSE))
    assert main(["run", "jensen", "maximum_likelihood"]) == 1
    summary = capsys.readouterr().out.splitlines()[-5:]
    assert "verdict" in summary[0]
    assert "foundations/jensen" in summary[1] and "✗ 1 FAILED" in summary[1]
    assert "foundations/maximum_likelihood" in summary[2] and "✓ all hold" in summary[2]
    assert summary[3:] == ["", "JAX's operations computed by NumPy"]


def test_a_jax_without_what_numpy_needs_is_named_with_the_mend(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shared_specs.backends.jax_eager", None)
    assert main(["run", "latent/elbo"]) == 2
    error = capsys.readouterr().err
    assert f"JAX {jax.__version__}" in error and "use --compiled" in error and error.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--compiled"]])
def test_numpy_computes_the_steps_and_xla_on_request(options, in_place_of_jensen, capsys, caplog):
    """With the same verdicts."""
    derivation = derivation_with(*TRUE, bodies=TRUE)
    derivation.parts += [replace(step, name=f"false_{step.kind}", body=labeled(step.kind, FALSE)) for step in derivation.steps]
    in_place_of_jensen(derivation)
    with jax.log_compiles():
        assert main(["run", "jensen", "--json", *options]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["computed_by"] == ("XLA" if options else "NumPy")
    assert any("Compiling" in record.getMessage() for record in caplog.records) == bool(options)
    (record,) = answer["derivations"]
    assert [claim["passed"] for claim in record["claims"]] == [True] * len(TRUE) + [False] * len(FALSE)
    assert not any("raised" in claim["error"] or "refused" in claim["error"] for claim in record["claims"])


def test_list_shows_every_topic(capsys):
    assert main(["list"]) == 0
    table = capsys.readouterr().out
    assert all(path in table for path in load().topics)
    assert main(["list", "--json"]) == 0
    topics = json.loads(capsys.readouterr().out)["topics"]
    assert [topic["topic"] for topic in topics] == list(load().topics)
    assert {topic["state"] for topic in topics} <= {"built", "planned"}
    assert [t["topic"] for t in topics if t["state"] == "built"] == [t.path for t in load().built]


@pytest.mark.parametrize(("written", "words"), [(False, "`make book` writes the course as a book"), (True, "book: book.html")])
def test_list_prints_the_path_of_the_book(tmp_path, monkeypatch, capsys, written, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("theory_jax.__main__.BOOK", tmp_path / "book.html")
    if written:
        (tmp_path / "book.html").touch()
    assert main(["list"]) == 0 and words in capsys.readouterr().out


def test_only_the_requested_topic_is_imported_and_list_imports_no_jax():
    """And JAX computes in float64 as soon as derivations are there, before a step runs."""
    program = (
        "import sys; from theory_jax.__main__ import main; main(['list', '--json']); assert 'jax' not in sys.modules;"
        "import theory_jax.derivation.lecture, jax.numpy as jnp; assert jnp.ones(1).dtype == 'float64';"
        "main(['run', 'latent/elbo', '--json']); assert 'theory_jax.lectures.latent.vae' not in sys.modules;"
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr


@pytest.mark.weekly
def test_several_processes_give_the_same_records(capsys):
    assert main(["run", "maximum_likelihood", "latent/elbo", "--json", "--jobs", "2"]) == 0
    said = capsys.readouterr()
    records = json.loads(said.out)["derivations"]
    assert [record["topic"] for record in records] == ["foundations/maximum_likelihood", "latent/elbo"]
    assert all(record["passed"] and len(record["claims"]) > 5 for record in records)
    assert "[2/2]" in said.err


def test_relations_of_texts_are_counted_by_place(in_place_of_jensen, capsys):
    toy = derivation_with("numeric", bodies=TRUE)
    toy.answer = prose("So {it}.", it=holds(sympy.Integer(2), "<", 3))
    toy.say("Here $a = 1$ and $b < 2$, and $c$.")
    in_place_of_jensen(toy)
    assert main(["run", "foundations/jensen", "--counts", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]["foundations/jensen"]
    assert counts["answer"] == {"executed": 1, "stated": 0} and counts["text"] == {"unmarked": 2}
    assert main(["run", "foundations/jensen", "--counts"]) == 0
    head, *_, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["relations", "in", "executed", "conditions", "definitions", "stated", "unmarked"]
    assert total.split()[:2] == ["all", "1"]


def test_a_negative_number_of_processes_is_refused(capsys):
    assert main(["run", "jensen", "--json", "--jobs", "-1"]) == 2
    assert capsys.readouterr().err == "error: --jobs is -1; it must be 0 (one for each core) or more\n"
