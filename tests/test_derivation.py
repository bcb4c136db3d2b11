"""Derivations: every kind of step passes on a truth and fails on a falsehood, and a step that could not fail is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from rich.cells import cell_len

from shared_specs.syllabus import load
from theory_jax.__main__ import HERE, main
from theory_jax.derivation import Derivation

U, V = sympy.symbols("u v", positive=True)
X = jnp.array([0.5, -1.0, 2.0])


def run_step(kind, body, **options):
    """The result of one step."""
    derivation = Derivation(title="One step")
    getattr(derivation, kind)("a = b", because="it is so", **options)(body)
    (result,) = derivation.run()
    return result


def normal_draws(count, mean=0.0):
    return np.random.default_rng(0).normal(mean, 1.0, (count, 2))


# ---------------------------------------------------------------------------------------------------- truths and falsehoods

TRUE = {
    "symbolic": lambda: (sympy.diff(U * sympy.log(U) - U, U) * 2, sympy.log(U**2)),
    "numeric": lambda: (jnp.sum(X**2), jnp.dot(X, X)),
    "exact": lambda: (jnp.array([0.25 + 0.75, jnp.inf]), jnp.array([1.0, jnp.inf])),
    "autodiff": lambda: (jax.grad(lambda x: jnp.sum(x**3))(X), 3 * X**2),
    "bound": lambda: (1 + X, jnp.exp(X), (1.0, jnp.exp(0.0))),
    "monte_carlo": lambda: (normal_draws(4000, 0.5), 0.5),
}
FALSE = {
    "symbolic": lambda: (sympy.diff(-sympy.log(U), U, 2), 1 / U),
    "numeric": lambda: (jnp.sum(X**2) * (1 + 1e-11), jnp.dot(X, X)),
    "exact": lambda: (jnp.array([0.25, jnp.inf]), jnp.array([0.5, jnp.inf])),
    "autodiff": lambda: (jax.grad(lambda x: jnp.sum(x**3))(X), 2 * X**2),
    "bound": lambda: (1 + 1.5 * X, jnp.exp(X), (1.0, jnp.exp(0.0))),
    "monte_carlo": lambda: (normal_draws(4000, 0.5), 0.6),
}


@pytest.mark.parametrize("kind", TRUE)
def test_a_truth_passes(kind):
    result = run_step(kind, TRUE[kind])
    assert result.passed, result.error
    assert result.error == ""
    assert 0 <= result.residual <= result.tolerance


@pytest.mark.parametrize("kind", FALSE)
def test_a_falsehood_fails(kind):
    result = run_step(kind, FALSE[kind])
    assert not result.passed
    assert result.error
    assert "refused" not in result.error
    assert "raised" not in result.error
    assert result.residual is None or result.residual > result.tolerance


def test_a_bound_that_is_loose_where_it_should_be_tight_fails():
    result = run_step("bound", lambda: (1 + X, jnp.exp(X), (1.0, jnp.exp(0.1))))
    assert not result.passed
    assert "not tight" in result.error


def test_the_failure_says_where_and_what():
    assert "at [1] is -1.0, right is 7.0" in run_step("numeric", lambda: (X, jnp.array([0.5, 7.0, 2.0]))).error
    assert "log(u)" in run_step("symbolic", lambda: (sympy.log(U**2), sympy.log(U))).error
    assert "+-" in run_step("monte_carlo", FALSE["monte_carlo"]).error


def test_the_residual_is_relative_element_by_element():
    """A small entry is not hidden behind a large one."""
    big = run_step("numeric", lambda: (jnp.array([1e9, 1.0]), jnp.array([1e9 * (1 + 4e-16), 1.0 + 1e-15])))
    assert big.passed
    assert not run_step("numeric", lambda: (jnp.array([1e9, 1.0]), jnp.array([1e9, 1.0 + 1e-10]))).passed


def test_several_symbolic_claims_at_once():
    assert run_step("symbolic", lambda: ([(U + 1) ** 2, U * 2], [U**2 + 2 * U + 1, U + U])).passed
    assert not run_step("symbolic", lambda: ([(U + 1) ** 2, U * 2], [U**2 + 2 * U + 1, 3 * U])).passed
    assert run_step("symbolic", lambda: (sympy.sin(U) ** 2 + sympy.cos(U) ** 2, sympy.Integer(1))).passed
    assert run_step("symbolic", lambda: (sympy.log(U * V), sympy.log(U) + sympy.log(V))).passed


def test_what_sympy_brings_into_one_form_by_itself_is_no_comparison_with_itself():
    """The derivative comes out as the very form that the formula has; both were written, so something was compared."""

    def curvature():
        return sympy.diff(-sympy.log(U), U, 2), 1 / U**2

    left, right = curvature()
    assert left == right
    assert run_step("symbolic", curvature).passed


def test_a_looser_tolerance_with_a_reason_is_used():
    def close():
        return 1.0 + 1e-7, jnp.cos(0.0)

    assert not run_step("numeric", close).passed
    assert run_step("numeric", close, tolerance=1e-6, since="quadrature").passed


# ---------------------------------------------------------------------------------------------------- refusals


def same_name_twice():
    value = jnp.sum(X)
    return value + 0, value + 0


def renamed():
    left = X * 2
    right = left
    return left, right


def same_tight_pair():
    touch = jnp.exp(0.0)
    return 1 + X, jnp.exp(X), (touch * 1.0, touch * 1.0)


def same_symbolic():
    f = (U + 1) ** 2
    return f, f


def same_through_a_helper():
    return tuple([X] * 2)


def overlapping_views():
    table = np.arange(6.0)
    return table[:3], table[0:3]


REFUSED = {
    "None": ("numeric", lambda: (None, X), "left is None"),
    "nothing": ("numeric", lambda: None, "returned NoneType"),
    "empty": ("numeric", lambda: (jnp.zeros((0, 3)), jnp.zeros((0, 3))), "left is empty"),
    "one side": ("numeric", lambda: (X,), "left, right"),
    "three sides": ("exact", lambda: (X, X + 0, X + 1), "left, right"),
    "a list": ("autodiff", lambda: [X, X + 0], "returned list"),
    "a bound without a tight pair": ("bound", lambda: (X, X + 1), "tight is missing"),
    "half a tight pair": ("bound", lambda: (X, X + 1, (1.0,)), "tight is missing"),
    "an identity called a bound": ("bound", lambda: (X, X * 1.0, (1.0, jnp.exp(0.0))), "an identity"),
    "an infinite bound": ("bound", lambda: (X, jnp.inf, (1.0, jnp.exp(0.0))), "larger is not finite"),
    "a complex bound": ("bound", lambda: (X + 1j, X + 3, (1.0, jnp.exp(0.0))), "no order"),
    "the same object": ("numeric", same_through_a_helper, "same object"),
    "the same object, renamed": ("numeric", renamed, "same"),
    "the same expression": ("numeric", same_name_twice, "same expression"),
    "the same tight pair": ("bound", same_tight_pair, "same expression"),
    "the same symbolic expression": ("symbolic", same_symbolic, "same expression"),
    "the same memory": ("numeric", overlapping_views, "same memory"),
    "no symbols": ("symbolic", lambda: (1.0, 2.0), "neither side is a SymPy expression"),
    "a relation": ("symbolic", lambda: (sympy.Eq(U, 1), U), "not an expression"),
    "a symbolic infinity": ("symbolic", lambda: (sympy.oo * U, U), "not finite"),
    "unequal lists": ("symbolic", lambda: ([U, V], [U]), "2 expressions"),
    "empty lists": ("symbolic", lambda: ([], []), "left is empty"),
    "NaN": ("exact", lambda: (X * jnp.nan, X * 2), "left is not finite"),
    "NaN on both sides": ("exact", lambda: (X * jnp.nan, jnp.full(3, jnp.nan)), "not finite"),
    "infinities in a numeric step": ("numeric", lambda: (jnp.inf, jnp.exp(1e4)), "not finite"),
    "opposite infinities": ("exact", lambda: (jnp.inf, -jnp.exp(1e4)), "not finite"),
    "shapes that would broadcast": ("numeric", lambda: (X[:, None] * 0, X[None] * 0), "only scalars broadcast"),
    "float32": ("numeric", lambda: (X.astype(jnp.float32), X * 1), "left is float32"),
    "float32 on the right": ("autodiff", lambda: (X, np.float32(1)), "right is float32"),
    "truth values": ("exact", lambda: (X == X, jnp.full(3, True)), "truth value"),
    "words": ("exact", lambda: ("a", "b"), "not numbers"),
    "too few samples": ("monte_carlo", lambda: (normal_draws(999), 0.0), "at least 1000"),
    "a single number for samples": ("monte_carlo", lambda: (0.1, 0.0), "0 draws"),
    "no variance": ("monte_carlo", lambda: (np.ones(2000), 1.0), "zero variance"),
    "the samples' own mean": ("monte_carlo", lambda: (normal_draws(2000), normal_draws(2000).mean(0)), "own mean"),
    "samples of another shape": ("monte_carlo", lambda: (normal_draws(2000), np.zeros(3)), "only scalars broadcast"),
    "infinite samples": ("monte_carlo", lambda: (normal_draws(2000) / 0.0, 0.0), "not finite"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_step_that_could_not_fail_is_refused(name):
    kind, body, reason = REFUSED[name]
    result = run_step(kind, body)
    assert not result.passed
    assert result.error.startswith("refused: ")
    assert reason in result.error


@pytest.mark.parametrize("options", [{"tolerance": 1e-3}, {"tolerance": 2.0, "since": "noise"}, {"tolerance": -1.0}])
def test_a_loose_tolerance_without_reason_is_refused(options):
    result = run_step("numeric", lambda: (jnp.cos(0.0), 1.0), **options)
    assert not result.passed
    assert "since" in result.error


def test_claims_need_words():
    derivation = Derivation(title="Silent")
    derivation.numeric("a = b", because=" ")(TRUE["numeric"])
    assert "a reason" in derivation.run()[0].error


def test_two_steps_of_one_name_are_refused():
    derivation = Derivation(title="Twins")
    for _ in range(2):

        @derivation.numeric("a = b", because="so")
        def twin():
            return jnp.cos(0.0), 1.0

    results = derivation.run()
    assert [result.passed for result in results] == [False, False]
    assert all("2 steps are called twin" in result.error for result in results)


def test_a_derivation_without_steps_is_refused():
    with pytest.raises(ValueError, match="has no steps"):
        Derivation(title="Nothing").run()


def test_an_error_in_a_step_fails_that_step_alone():
    derivation = Derivation(title="Broken")

    @derivation.numeric("a = b", because="so")
    def broken():
        return 1 / 0, 1.0

    @derivation.numeric("c = d", because="so")
    def sound():
        return jnp.cos(0.0), 1.0

    first, second = derivation.run()
    assert first.error == "raised ZeroDivisionError: division by zero"
    assert second.passed
    with pytest.raises(ZeroDivisionError):
        derivation.run(debug=True)


def test_steps_are_data_and_their_functions_stay_callable():
    derivation = Derivation(title="Data", lectures=(3, 4), sources=("a book",))

    @derivation.exact(r"\frac{1}{2}", because="halves", tolerance=1e-10)
    def halves():
        return jnp.cos(0.0) / 2, 0.5

    assert halves()[1] == 0.5
    (step,) = derivation.steps
    assert (step.name, step.kind, step.claim, step.because) == ("halves", "exact", r"\frac{1}{2}", "halves")
    assert (step.tolerance, step.since, step.body) == (1e-10, "", halves)
    assert (derivation.lectures, derivation.sources) == ((3, 4), ("a book",))


# ---------------------------------------------------------------------------------------------------- the course


@pytest.mark.parametrize("topic", [pytest.param(t.path, marks=pytest.mark.xdist_group(t.path)) for t in load().built])
def test_every_step_of_the_course_holds(topic, compiled, capsys):
    assert main(["run", topic, "--json", *(["--compiled"] if compiled else [])]) == 0, [
        s for s in json.loads(capsys.readouterr().out)["derivations"][0]["steps"] if s["error"]
    ]


# ---------------------------------------------------------------------------------------------------- the page

WORDY = "A reason that is long enough to be wrapped into several lines, with [brackets] that are no markup, and a p/q. " * 3


@pytest.fixture
def in_place_of_jensen(monkeypatch):
    """Let foundations/jensen have another derivation."""

    def put(derivation):
        monkeypatch.setattr("theory_jax.foundations.jensen.derivation", derivation)

    return put


@pytest.fixture
def two_toys(in_place_of_jensen, monkeypatch):
    """Let foundations/jensen and foundations/maximum_likelihood have short derivations that hold."""
    in_place_of_jensen(derivation_with("numeric", "autodiff", bodies=TRUE))
    monkeypatch.setattr("theory_jax.foundations.maximum_likelihood.derivation", derivation_with("numeric", bodies=TRUE))


def derivation_with(*kinds, bodies):
    derivation = Derivation(title="A title", lectures=(5,), sources=("Somebody 1906",))
    for kind in kinds:
        body = bodies[kind]

        def step(body=body):
            return body()

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


def test_a_failing_page_says_so_loudly(in_place_of_jensen, capsys):
    in_place_of_jensen(derivation_with("numeric", "symbolic", bodies=TRUE | {"symbolic": FALSE["symbolic"]}))
    assert main(["run", "jensen"]) == 1
    page = capsys.readouterr().out
    assert "✗ 1 of 2 steps FAILED" in page
    assert "the difference simplifies to" in page


@pytest.mark.parametrize(("body", "exit_code", "says"), [(TRUE, 0, "✓ all 1 steps hold"), (FALSE, 1, "✗ 1 of 1 steps FAILED")])
def test_main_prints_the_page_and_exits(body, exit_code, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        derivation_with("numeric", bodies=body).main()
    assert stopped.value.code == exit_code
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_a_topics_own_module_runs_its_derivation(topic):
    """For `python -m theory_jax.family.topic`."""
    source = (HERE / f"{topic}.py").read_text(encoding="utf-8")
    assert source.endswith('\n\n\nif __name__ == "__main__":\n    derivation.main()\n')


# ---------------------------------------------------------------------------------------------------- the commands


def test_json_says_everything(two_toys, capsys):
    assert main(["run", "foundations/jensen", "maximum_likelihood", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    derivations = answer["derivations"]
    assert answer["computed_by"] == "NumPy"
    assert [d["topic"] for d in derivations] == ["foundations/jensen", "foundations/maximum_likelihood"]
    assert derivations[0].keys() >= {"topic", "title", "lectures", "sources", "passed", "seconds", "steps"}
    step = derivations[0]["steps"][0]
    assert step.keys() == {"name", "kind", "claim", "because", "residual", "tolerance", "since", "passed", "error"}
    assert step["claim"].startswith(r"\nabla_\theta")
    assert "[1/2] foundations/jensen" in said.err


def test_json_of_a_failure_is_still_json(in_place_of_jensen, capsys):
    def prints():
        print("a step that prints")
        return jnp.nan, 1.0

    in_place_of_jensen(derivation_with("symbolic", "numeric", bodies={"symbolic": FALSE["symbolic"], "numeric": prints}))
    assert main(["run", "jensen", "--json"]) == 1
    said = capsys.readouterr()
    (derivation,) = json.loads(said.out)["derivations"]
    assert not derivation["passed"]
    assert [step["residual"] for step in derivation["steps"]] == [None, None]
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
    ("arguments", "says"),
    [
        (["run", "jenson"], "did you mean foundations/jensen?"),
        (["run", "lecture"], "no topic 'lecture'"),
        (["run", "99"], "no lecture 99; the course has lectures 1..56"),
        (["run", "jensen", "0"], "no lecture 0"),
        (["run", ""], "an empty topic"),
        (["run", "foundations"], "not unique"),
        (["run"], "name topics"),
        (["run", "jensen", "--all"], "--all runs every topic"),
        (["run", "preference/dpo"], "preference/dpo is planned, not built yet"),
    ],
)
def test_usage_errors_are_one_line_and_exit_with_2(arguments, says, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--al"], "--all"),
        (["runn"], "run"),
        ([], "list"),
        (["list", "--jsn"], "--json"),
        (["run", "5", "--seed", "1"], "--seed"),
    ],
)
def test_what_tyro_refuses_exits_with_2_and_suggests(arguments, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert says in said.err + said.out
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "usage: python -m theory_jax" in capsys.readouterr().out


def test_a_lecture_runs_its_topics_and_a_topic_named_twice_runs_once(two_toys, capsys):
    assert main(["run", "5", "jensen", "--json"]) == 0
    assert [d["topic"] for d in json.loads(capsys.readouterr().out)["derivations"]] == ["foundations/jensen"]


def test_planned_topics_beside_built_ones_are_reported(two_toys, capsys):
    assert main(["run", "jensen", "preference/dpo", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["planned"] == ["preference/dpo"]
    assert "preference/dpo: planned, not built yet" in said.err


def test_several_topics_end_in_a_summary(two_toys, in_place_of_jensen, capsys):
    in_place_of_jensen(derivation_with("numeric", bodies=FALSE))
    assert main(["run", "jensen", "maximum_likelihood"]) == 1
    summary = capsys.readouterr().out.splitlines()[-5:]
    assert "verdict" in summary[0]
    assert "foundations/jensen" in summary[1] and "✗ 1 FAILED" in summary[1]
    assert "foundations/maximum_likelihood" in summary[2] and "✓ proven" in summary[2]
    assert summary[3:] == ["", "JAX's operations computed by NumPy"]


def test_a_jax_without_what_numpy_needs_is_named_with_the_mend(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shared_specs.backends.jax_eager", None)
    assert main(["run", "latent/elbo"]) == 2
    error = capsys.readouterr().err
    assert f"JAX {jax.__version__}" in error and "use --compiled" in error and error.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--compiled"]])
def test_numpy_computes_the_steps_and_xla_if_asked(options, in_place_of_jensen, capsys, caplog):
    """With the same verdicts."""
    derivation = derivation_with(*TRUE, bodies=TRUE)
    derivation.steps += [replace(step, name=f"false_{step.kind}", body=FALSE[step.kind]) for step in derivation.steps]
    in_place_of_jensen(derivation)
    with jax.log_compiles():
        assert main(["run", "jensen", "--json", *options]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["computed_by"] == ("XLA" if options else "NumPy")
    assert any("Compiling" in record.getMessage() for record in caplog.records) == bool(options)
    (record,) = answer["derivations"]
    assert [step["passed"] for step in record["steps"]] == [True] * len(TRUE) + [False] * len(FALSE)
    assert not any("raised" in step["error"] or "refused" in step["error"] for step in record["steps"])


def test_list_shows_every_topic(capsys):
    assert main(["list"]) == 0
    table = capsys.readouterr().out
    assert all(path in table for path in load().topics)
    assert max(map(cell_len, table.splitlines())) <= 80
    assert main(["list", "--json"]) == 0
    topics = json.loads(capsys.readouterr().out)["topics"]
    assert [topic["topic"] for topic in topics] == list(load().topics)
    assert {topic["state"] for topic in topics} <= {"built", "planned"}
    assert [t["topic"] for t in topics if t["state"] == "built"] == [t.path for t in load().built]


def test_only_the_asked_topic_is_imported_and_list_imports_no_jax():
    """And JAX computes in float64 as soon as derivations are there, before a step runs."""
    program = (
        "import sys; from theory_jax.__main__ import main; main(['list', '--json']); assert 'jax' not in sys.modules;"
        "import theory_jax.derivation, jax.numpy as jnp; assert jnp.ones(1).dtype == 'float64';"
        "main(['run', 'latent/elbo', '--json']); assert 'theory_jax.foundations.f_divergence' not in sys.modules;"
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr


def test_several_processes_give_the_same_records(capsys):
    assert main(["run", "training_practice", "latent/elbo", "--json", "--jobs", "2"]) == 0
    said = capsys.readouterr()
    records = json.loads(said.out)["derivations"]
    assert [record["topic"] for record in records] == ["foundations/training_practice", "latent/elbo"]
    assert all(record["passed"] and len(record["steps"]) > 5 for record in records)
    assert "[2/2]" in said.err


def test_a_negative_number_of_processes_is_refused(capsys):
    assert main(["run", "jensen", "--json", "--jobs", "-1"]) == 2
    assert capsys.readouterr().err == "error: --jobs is -1; it must be 0 (one for each core) or more\n"
