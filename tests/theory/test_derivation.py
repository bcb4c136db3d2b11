"""Derivations: every kind of step passes on a truth and fails on a falsehood, and a step that could not fail is refused."""

import json
import re
from functools import wraps
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

from shared_specs.syllabus import load
from theory_jax.__main__ import main
from theory_jax.derivation.ground import Ground
from theory_jax.derivation.kinds import BoundSides, SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.loading import derivation_of
from theory_jax.derivation.notation import Entropy, Expectation, LogDensity, Normal, Total, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.typeset import latex

EXPERIMENTS = Path(__file__).resolve().parents[2] / "practice_torch" / "experiments"
U, V = sympy.symbols("u v", positive=True)
X = jnp.array([0.5, -1.0, 2.0])


def toy(title="A toy"):
    """A derivation that knows the letters a to d."""
    derivation = Derivation(title=title)
    derivation.symbol("a b c d", "letters")
    return derivation


def run_step(kind, body, wrong=None, **options):
    """The result of one step, with a wrong form that is far off."""
    derivation = toy()

    @wraps(body)
    def step():
        returned = body()
        mistake = {"a mistake": WRONG[kind] if wrong is None else wrong}
        form = FORMS.get(kind, Sides)
        fits = isinstance(returned, tuple) and len(returned) == len(form._fields) - 1
        return form(*returned, wrong=mistake) if fits else returned

    getattr(derivation, kind)("a = b", because="it is so", **options)(step)
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
    "bound": lambda: (lambda x: (1 + x, jnp.exp(x)), (X,), (jnp.zeros(1),)),
    "monte_carlo": lambda: (normal_draws(4000, 0.5), 0.5),
}
FALSE = {
    "symbolic": lambda: (sympy.diff(-sympy.log(U), U, 2), 1 / U),
    "numeric": lambda: (jnp.sum(X**2) * (1 + 1e-11), jnp.dot(X, X)),
    "exact": lambda: (jnp.array([0.25, jnp.inf]), jnp.array([0.5, jnp.inf])),
    "autodiff": lambda: (jax.grad(lambda x: jnp.sum(x**3))(X), 2 * X**2),
    "bound": lambda: (lambda x: (1 + 1.5 * x, jnp.exp(x)), (X,), (jnp.zeros(1),)),
    "monte_carlo": lambda: (normal_draws(4000, 0.5), 0.6),
}
FORMS = {"bound": BoundSides, "monte_carlo": SampleSides}  # the other kinds compare Sides
# what every kind refuses in place of its second side
WRONG = {
    "symbolic": sympy.Integer(17),
    "numeric": 1e6,
    "exact": jnp.array([2.0, jnp.inf]),
    "autodiff": 1e6,
    "bound": lambda x: (3 + x, jnp.exp(x)),
    "monte_carlo": 1e6,
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
    result = run_step("bound", lambda: (lambda x: (1 + x, jnp.exp(x)), (X,), (jnp.array([0.1]),)))
    assert not result.passed
    assert "not tight" in result.error


def test_the_failure_names_place_and_reason():
    assert "at [1] is -1.0, right is 7.0" in run_step("numeric", lambda: (X, jnp.array([0.5, 7.0, 2.0]))).error
    assert "log(u)" in run_step("symbolic", lambda: (sympy.log(U**2), sympy.log(U))).error
    assert "+-" in run_step("monte_carlo", FALSE["monte_carlo"]).error


def test_the_residual_is_relative_element_by_element():
    """A small entry is not hidden behind a large one."""
    big = run_step("numeric", lambda: (jnp.array([1e9, 1.0]), jnp.array([1e9 * (1 + 4e-16), 1.0 + 1e-15])))
    assert big.passed
    assert not run_step("numeric", lambda: (jnp.array([1e9, 1.0]), jnp.array([1e9, 1.0 + 1e-10]))).passed


def test_several_symbolic_claims_at_once():
    assert run_step("symbolic", lambda: ([(U + 1) ** 2, U * 2], [U**2 + 2 * U + 1, U + U]), [U, U]).passed
    assert not run_step("symbolic", lambda: ([(U + 1) ** 2, U * 2], [U**2 + 2 * U + 1, 3 * U]), [U, U]).passed
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


def renamed():
    left = X * 2
    right = left
    return left, right


def same_through_a_helper():
    return tuple([X] * 2)


def overlapping_views():
    table = np.arange(6.0)
    return table[:3], table[0:3]


REFUSED = {
    "None": ("numeric", lambda: (None, X), "left is None"),
    "nothing": ("numeric", lambda: None, "returned NoneType"),
    "empty": ("numeric", lambda: (jnp.zeros((0, 3)), jnp.zeros((0, 3))), "left is empty"),
    "one side": ("numeric", lambda: (X,), "returned tuple; a numeric step returns Sides"),
    "three sides": ("exact", lambda: (X, X + 0, X + 1), "an exact step returns Sides"),
    "a list": ("autodiff", lambda: [X, X + 0], "returned list"),
    "a bound without a place where it is tight": ("bound", lambda: (np.sin, (X,)), "returns BoundSides"),
    "an identity called a bound": ("bound", lambda: (lambda x: (x, x * 1.0), (X,), (X,)), "an identity"),
    "an infinite bound": ("bound", lambda: (lambda x: (x, jnp.inf), (X,), (X,)), "larger is not finite"),
    "a complex bound": ("bound", lambda: (lambda x: (x + 1j, x + 3), (X,), (X,)), "no order"),
    "a bound that is tight at 0 = 0": ("bound", lambda: (lambda x: (0 * x, x**2), (X,), (jnp.zeros(1),)), "0 = 0"),
    "the same object": ("numeric", same_through_a_helper, "same object"),
    "the same object, renamed": ("numeric", renamed, "same"),
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
    "zeros on both sides": ("numeric", lambda: (jnp.zeros(3), X * 0), "give a scale"),
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


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("symbolic", sympy.log(U) * 2),
        ("numeric", 5.25),
        ("exact", jnp.array([1.0, jnp.inf])),
        ("autodiff", 3 * X * X),
        ("bound", lambda x: (1 + x / 2 + x / 2, jnp.exp(x))),
        ("monte_carlo", 0.51),
    ],
)
def test_a_wrong_form_that_passes_is_refused(kind, wrong):
    result = run_step(kind, TRUE[kind], wrong)
    assert result.error == "refused: it would hold, too, with this mistake: a mistake"


@pytest.mark.parametrize("kind", FORMS)
def test_a_loose_comparison_without_a_wrong_form_is_refused(kind):
    derivation = toy()
    getattr(derivation, kind)("a = b", because="it is so")(lambda: FORMS[kind](*TRUE[kind]()))
    assert "names no wrong form" in derivation.run()[0].error


def test_what_is_compared_with_zero_is_relative_to_its_scale():
    def small():
        return jnp.array([1e-15, 2.0]), jnp.array([0.0, 2.0])

    assert run_step("numeric", small).passed  # relative to the largest number
    assert not run_step("numeric", lambda: (jnp.array([1e-15, 2e-9]), jnp.array([0.0, 2e-9]))).passed
    assert run_step("numeric", lambda: (jnp.array([1e-15, 0.0]), jnp.zeros(2)), scale=1.0).passed


@pytest.mark.parametrize("options", [{"tolerance": 1e-3}, {"tolerance": 2.0, "since": "noise"}, {"tolerance": -1.0}])
def test_a_loose_tolerance_without_reason_is_refused(options):
    result = run_step("numeric", lambda: (jnp.cos(0.0), 1.0), **options)
    assert not result.passed
    assert "since" in result.error


def test_claims_need_words():
    derivation = toy("Silent")
    derivation.numeric("a = b", because=" ")(TRUE["numeric"])
    assert "a reason" in derivation.run()[0].error


def test_two_steps_of_one_name_are_refused():
    derivation = toy("Twins")
    for _ in range(2):

        @derivation.numeric("a = b", because="so")
        def twin():
            return Sides(left=jnp.cos(0.0), right=1.0)

    results = derivation.run()
    assert [result.passed for result in results] == [False, False]
    assert all("2 steps are called twin" in result.error for result in results)


def test_a_derivation_without_steps_is_refused():
    with pytest.raises(ValueError, match="has no steps"):
        Derivation(title="Nothing").run()


def test_an_error_in_a_step_fails_that_step_alone():
    derivation = toy("Broken")

    @derivation.numeric("a = b", because="so")
    def broken():
        return Sides(left=1 / 0, right=1.0)

    @derivation.numeric("c = d", because="so")
    def sound():
        return Sides(left=jnp.cos(0.0), right=1.0)

    first, second = derivation.run()
    assert first.error == "raised ZeroDivisionError: division by zero"
    assert second.passed
    with pytest.raises(ZeroDivisionError):
        derivation.run(debug=True)


def test_steps_are_data_and_their_functions_stay_callable():
    derivation = Derivation(title="Data", lectures=(3, 4), sources=("a book",))

    @derivation.exact(r"\frac{1}{2}", because="halves", tolerance=1e-10)
    def halves():
        return Sides(left=jnp.cos(0.0) / 2, right=0.5)

    assert halves().right == 0.5
    (step,) = derivation.steps
    assert (step.name, step.kind, step.claim, step.because) == ("halves", "exact", r"\frac{1}{2}", "halves")
    assert (step.tolerance, step.since, step.body) == (1e-10, "", halves)
    assert (derivation.lectures, derivation.sources) == ((3, 4), ("a book",))


def test_a_sum_of_a_symbol_and_a_defined_name_is_printed():
    size = Derivation(title="A name without an index").define("s", V**2, "a square")
    assert latex(plus(size, -U)) == "s - u"


def test_a_sum_keeps_the_order_of_its_author():
    """A sum of SymPy's has none, and begins with a term that has no minus sign."""
    a, b, c = sympy.symbols("a b c", positive=True)
    assert latex(plus(-sympy.exp(a), c, b)) == r"- e^{a} + c + b"
    assert latex(plus(b, a)) == "b + a"
    assert latex(sympy.Add(-a, b)) == "b - a"
    assert latex(plus(a, -plus(b, c))) == r"a - \left(b + c\right)" and latex(plus(a, plus(b, -c))) == r"a + \left(b - c\right)"


def test_a_power_of_a_name_with_a_superscript_has_parentheses():
    derivation = Derivation(title="Heads")
    j = derivation.index("j", "a key")
    score = derivation.numbers("E^{h}", j, "the scores of a head", positive=True)
    assert latex(score**2) == r"\left(E^{h}_{j}\right)^{2}" and latex(score**-2) == r"\frac{1}{\left(E^{h}_{j}\right)^{2}}"
    assert latex(sympy.sqrt(score)) == r"\sqrt{E^{h}_{j}}" and latex(1 / score) == r"\frac{1}{E^{h}_{j}}"


def test_the_verdict_lists_positive_and_nonnegative_numbers():
    a, b, c = sympy.Symbol("a", positive=True), sympy.Symbol("b", nonnegative=True), sympy.Symbol("c", real=True)
    assert Ground().spoken(a + b + c) == r" for all $a > 0$, $b \ge 0$, $c$"


def test_the_logarithm_of_a_gaussian_density_is_printed_by_its_name_and_averages_to_minus_the_entropy():
    x, m = sympy.symbols("x m", real=True)
    law, ground = Normal(x, m, V), Ground()
    assert latex(LogDensity(x, m, V)) == r"\log \mathcal{N}\left(x; m, v\right)"
    assert ground.vanishes(Expectation(law, LogDensity(x, m, V)) + Entropy(law))
    assert not ground.vanishes(Expectation(law, LogDensity(x, m, 2 * V)) + Entropy(law))


# ---------------------------------------------------------------------------------------------------- the course


@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_lecture_of_the_course_is_whole(topic):
    assert list(derivation_of(topic).lacking()) == []


@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_a_lecture_says_where_its_topic_is_trained(topic):
    """A topic with an experiment is trained there; of the others the page says which experiment trains them, or why none does."""
    trained = derivation_of(topic).trained
    assert bool(trained) != (EXPERIMENTS / f"{topic}.py").is_file()
    for path in re.findall(r"`([a-z_]+/[a-z_]+)`", trained):
        assert (EXPERIMENTS / f"{path}.py").is_file(), path


@pytest.mark.weekly
@pytest.mark.parametrize("topic", [pytest.param(t.path, marks=pytest.mark.xdist_group(t.path)) for t in load().built])
def test_every_step_of_the_course_holds(topic, compiled, capsys):
    assert main(["run", topic, "--json", *(["--compiled"] if compiled else [])]) == 0, [
        s for s in json.loads(capsys.readouterr().out)["derivations"][0]["claims"] if s["error"]
    ]


# ---------------------------------------------------------------------------------------------------- symbols and lemmas


def test_a_weighted_sum_of_instances_of_a_lemma_is_never_negative_and_a_difference_may_be():
    derivation = Derivation(title="A title")
    t, weight = derivation.number("t", "a number"), derivation.number("a", "a weight", between=(0, 1))
    square = derivation.assume("A function is never negative", derivation.function("f", "a function")(t), t)
    ground = Ground(between=derivation.between)
    assert ground.never_negative((1 - weight) * square.at(2) + weight * square.at(3))
    assert not ground.never_negative((1 - weight) * square.at(2) - weight * square.at(3))
    assert not ground.never_negative((weight - 1) * square.at(2))


def test_a_number_is_computed_where_a_sum_runs_over_a_second_index_of_the_same_law():
    derivation = Derivation(title="A title")
    k, j = derivation.index("k", "a state"), derivation.index("j", "a state")
    p = derivation.law("p", k, "a law")
    assert value(p / Total(j, p.at(j) ** 2), {p: (0.5, 0.5)}) == (1.0, 1.0)


def test_a_product_with_a_factor_that_is_zero_up_to_rounding_is_zero():
    derivation = Derivation(title="A title")
    k, c = derivation.index("k", "a state"), derivation.number("c", "a number")
    p, q = derivation.law("p", k, "a law"), derivation.law("q", k, "another")
    assert Ground().differs(c * (Total(k, p) - Total(k, q))) == ""
    assert Ground().differs(c * (Total(k, p) - Total(k, q) + sympy.Rational(1, 10**6))) != ""
