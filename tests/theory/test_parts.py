"""Examples, figures, exercises, front matter and steps: what is wrong fails, and what could not fail is refused."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from sympy import log

from tests.theory.test_chains import Toy
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, SampleSides, Sides
from theory_jax.derivation.notation import Entropy, Total
from theory_jax.derivation.parts import Algorithm, Exercise, do, value
from theory_jax.derivation.prose import prose
from theory_jax.foundations.maximum_likelihood import entropy
from theory_jax.pages.console import console_of_the_page
from theory_jax.pages.html import html
from theory_jax.pages.page import lecture_page
from theory_jax.pages.terminal import print_page
from theory_jax.pages.tex import tex


def whole(**changes):
    """A derivation that has everything, with some of its front matter changed."""
    toy = Toy("Why?", module="theory_jax.lectures.toys.whole")
    toy.setting, toy.answer, toy.limits, toy.sources = ("A law.",), "Because.", ("Nothing.",), ("Somebody 1906",)
    vars(toy).update(changes)
    result = equals(toy.a, "$p$ sums to one", wrong={"each is one": 3 * toy.a})
    toy.chain("The sum", Total(toy.k, toy.p * toy.a), result, central=True)
    bridge(toy)
    toy.example("Two states.")(lambda: [(r"H(p)", 0.69314, "0.6931")])
    toy.figure("A parabola.")(parabola)
    for level in ("easy", "easy", "medium", "medium", "hard"):
        toy.exercise("How much?", "It is 0.5.", level=level, hint="Halve it.")(lambda: [(0.5, "0.5")])
    return toy


def bridge(toy):
    """The entropy of a law as the code computes it."""
    return toy.bridge("The code", Entropy(toy.p), entropy, log_probs=[log(toy.p)], wrong={"the sign": -Entropy(toy.p)})


def parabola(axes):
    axes.plot([0, 1, 2], [0, 1, 4])
    axes.set(xlabel="$x$", ylabel="$y$")


def test_a_derivation_that_has_everything_passes():
    assert [(result.claim, result.error) for result in whole().run() if not result.passed] == []
    assert list(whole().lacking()) == []


@pytest.mark.parametrize("name", ["module", "question", "setting", "answer", "limits", "sources"])
def test_missing_front_matter_is_named(name):
    assert list(whole(**{name: ()}).lacking()) == [f"it has no {name}="]


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("Bridge", "no bridge or step"),
        ("Example", "0 examples"),
        ("Figure", "0 figures"),
        ("Exercise", "its exercises are: easy 1, medium 2, hard 1; it needs five, of all levels"),
    ],
)
def test_missing_parts_are_named(left_out, words):
    toy = whole()
    parts = [part for part in toy.parts if type(part).__name__ == left_out]
    toy.parts.remove(parts[0])
    (lack,) = toy.lacking()
    assert words in lack


def test_a_missing_central_result_is_named():
    toy = whole()
    toy.central = None
    assert list(toy.lacking()) == ["no chain or step is the central one (central=True)"]


# ---------------------------------------------------------------------------------------------------- numbers

NUMBERS = {
    "the last digit": (0.69314, "0.6931", "0.6932"),
    "a fraction": (0.25, "1/4", "1/5"),
    "a pair": ((0.5, 2.0), "(0.5, 2)", "(0.5, 3)"),
    "an expression": (log(4) / 2, log(2), log(3)),
    "a word": ("yes", "yes", "no"),
    "an exponent": (1.23e-7, "1.23e-7", "1.24e-7"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_printed_number_is_the_computed_one_to_its_last_digit(name):
    computed, right, wrong = NUMBERS[name]
    for said, holds in ((right, True), (wrong, False)):
        toy = Toy()
        toy.example("An example.")(lambda said=said: [("x", computed, said)])
        (result,) = toy.run()
        assert (result.passed, bool(result.error)) == (holds, not holds)


def test_an_example_without_a_number_is_refused():
    toy = Toy()
    toy.example("Nothing.")(lambda: [])
    assert "an example needs a number" in toy.run()[0].error
    toy = Toy()
    toy.example("Two for one.")(lambda: [("x", (1.0, 2.0), "1")])
    assert "has 1 numbers, and 2 were computed" in toy.run()[0].error


def test_the_value_of_an_expression_needs_every_number():
    toy = Toy()
    assert value(Total(toy.k, toy.p * toy.a), {toy.p: (0.25, 0.75), toy.a: 2}) == 2
    with pytest.raises(ValueError, match="a: no number is given"):
        value(Total(toy.k, toy.p * toy.a), {toy.p: (0.25, 0.75)})


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "an exercise needs an answer that is executed"),
        ([(0.7, "0.7")], "the answer does not contain 0.7"),
        ([(0.7, "0.5")], "computed: 0.7, not 0.5"),
    ],
)
def test_the_answer_of_an_exercise_is_executed(rows, words):
    toy = Toy()
    toy.exercise("How much?", "It is 0.5.")(lambda: rows)
    (result,) = toy.run()
    assert not result.passed and words in result.error


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"level": "simple", "hint": "Try."}, "'simple'; it must be one of easy, medium, hard"),
        ({"level": "easy"}, "a level and a hint"),
    ],
)
def test_an_exercise_has_a_known_level_and_a_hint(more, words):
    toy = Toy()
    toy.exercise("How much?", "It is 0.5.", **more)(lambda: [(0.5, "0.5")])
    (result,) = toy.run()
    assert words in result.error


def test_exercises_are_five_of_all_levels():
    toy = whole()
    toy.parts = [part for part in toy.parts if not isinstance(part, Exercise)]
    assert list(toy.lacking()) == ["its exercises are: none; it needs five, of all levels"]
    for level in ("easy", "easy", "medium", "medium", ""):
        toy.exercise("How much?", "It is 0.5.", level=level, hint=level and "Halve it.")(lambda: [(0.5, "0.5")])
    assert list(toy.lacking()) == ["its exercises are: easy 2, medium 2, without a level 1; it needs five, of all levels"]
    toy.exercise("Why?", "It is 0.5.", level="hard", hint=prose("Halve {it}.", it=toy.a))(lambda: [(0.5, "0.5")])
    toy.parts.remove(toy.parts[-2])
    assert list(toy.lacking()) == [] and all(result.passed for result in toy.run())


def test_a_page_has_three_theorems_beside_its_result():
    """The others are lemmas, which the page folds."""
    toy = whole()
    for number in range(4):
        toy.chain(f"Theorem {number}", Total(toy.k, toy.p * toy.a), equals(toy.a, "$p$ sums to one"))
    assert list(toy.lacking()) == ["it has 4 theorems beside the central result; at most 3, the rest are lemmas"]
    toy.parts[-1] = replace(toy.parts[-1], role="lemma")
    assert list(toy.lacking()) == []


# ---------------------------------------------------------------------------------------------------- assumptions


def _assumed(expression, example, wrong):
    toy = Toy()
    f = toy.function("f", "a function")
    toy.assume("Some", expression(toy, f), example=example(toy, f), wrong=wrong(toy, f))
    (result,) = toy.run()
    return result


def _convex(toy, f):
    return f(toy.m) - f(toy.a) - f(toy.a).diff(toy.a) * (toy.m - toy.a)


def test_an_assumption_is_tried_on_its_example():
    parabola = lambda toy, f: {f: lambda x: x**2}  # noqa: E731
    result = _assumed(_convex, parabola, lambda toy, f: {"the sign": -_convex(toy, f)})
    assert result.passed and result.words == r"holds for $f\left(x\right) = x^{2}$"
    result = _assumed(_convex, lambda toy, f: {f: lambda x: -(x**2)}, lambda toy, f: {"the sign": -_convex(toy, f)})
    assert not result.passed and "false in its example" in result.error
    result = _assumed(_convex, parabola, lambda toy, f: {"twice": 2 * _convex(toy, f)})
    assert "would hold in its example, too, with this mistake: twice" in result.error
    result = _assumed(_convex, parabola, lambda toy, f: {})
    assert "an example and a wrong form, or neither" in result.error


def test_the_example_of_an_assumption_may_be_a_function_of_several_numbers():
    toy = Toy()
    f = toy.function("f", "a function", arguments=2)
    toy.assume("Some", f(toy.m, toy.a), example={f: lambda x, y: x**2 + y**2}, wrong={"the sign": -f(toy.m, toy.a)})
    (result,) = toy.run()
    assert result.passed and result.words == r"holds for $f\left(x, y\right) = x^{2} + y^{2}$"


def test_the_example_of_an_assumption_has_numbers_for_states():
    result = _assumed(
        lambda toy, f: 1 - 2 * toy.p, lambda toy, f: {toy.p: (0.5, 0.25, 0.25)}, lambda toy, f: {"three": 1 - 3 * toy.p}
    )
    assert result.passed and result.words == r"holds for $p_{k} = \left( 0.5, \  0.25, \  0.25\right)$"


# ---------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("draw", "caption", "words"),
    [
        (lambda axes: axes.set(xlabel="x", ylabel="y"), "Nothing.", "draws nothing"),
        (lambda axes: axes.plot([0, 1]), "A line.", "does not say what its axes are"),
        (lambda axes: axes.plot([0, 1]) and axes.set(xlabel="x"), "A line.", "does not say what its axes are"),
        (parabola, " ", "a figure needs a caption"),
    ],
)
def test_a_figure_that_shows_nothing_is_refused(draw, caption, words):
    toy = Toy()
    toy.figure(caption)(draw)
    (result,) = toy.run()
    assert not result.passed and words in result.error


def moving(*shifts, limits=(-2, 2)):
    """What draws a line at another height in every frame; limits: of the y-axis, none for matplotlib's own."""

    def draw(axes, frame):
        axes.plot([0, 1], [shifts[frame]] * 2)
        axes.set(xlabel="x", ylabel="y")
        if limits:
            axes.set(ylim=limits)

    return draw


@pytest.mark.parametrize(
    ("draw", "frames", "words"),
    [
        (moving(0), ["$t = 0$"], "one frame"),
        (moving(0, 1, limits=None), ["$t = 0$", "$t = 1$"], "different axes"),
        (moving(0, 1, 1), ["$t = 0$", "$t = 1$", "$t = 2$"], "the frame '$t = 2$'"),
    ],
)
def test_frames_that_do_not_show_a_movement_are_refused(draw, frames, words):
    toy = Toy()
    toy.figure("A line.", frames=frames)(draw)
    (result,) = toy.run()
    assert not result.passed and words in result.error


def test_frames_of_bars_differ_by_their_heights():
    toy = Toy()
    heights = lambda axes, frame: (axes.bar([0, 1], [1 + frame, 2]), axes.set(xlabel="x", ylabel="y", ylim=(0, 3)))  # noqa: E731
    toy.figure("Bars.", frames=["$t = 0$", "$t = 1$"])(heights)
    (result,) = toy.run()
    assert result.passed, result.error


def test_frames_are_drawn_one_by_one_and_on_paper_side_by_side():
    toy = Toy()
    toy.figure("A line.", frames=["$t = 0$", "$t = 1$"])(moving(0, 1))
    (result,), (figure,) = toy.run(), toy.parts
    assert result.passed and len(figure.execute()) == 2
    heights = [part.axes[0].lines[0].get_ydata()[0] for part in figure.on_paper().subfigs if part.axes]
    assert heights == [0, 1]


# ---------------------------------------------------------------------------------------------------- steps in the strict form

X = np.array([0.5, -1.0, 2.0])


def step(kind, returned, **options):
    """The result of one step of a derivation in the strict form."""
    toy = Toy("Why?", module="theory_jax.lectures.toys.whole")
    getattr(toy, kind)("a = b", because="it is so", **options)(lambda: returned)
    return toy.run()[-1]


def sides(larger):
    return lambda x: (1 + x, larger(x))


SURE = {  # what passes, and the same with a wrong form that would pass
    "symbolic": lambda t, wrong: Sides(
        left=(t.a + t.b) ** 2,
        right=t.a**2 + 2 * t.a * t.b + t.b**2,
        wrong={"x": t.a**2 + (0 if wrong else t.b * (2 * t.a + t.b))},
    ),
    "numeric": lambda t, wrong: Sides(left=X * 3, right=X + 2 * X, wrong={"x": X if wrong else 4 * X - X}),
    "exact": lambda t, wrong: Sides(left=X * 3, right=X + 2 * X, wrong={"x": X if wrong else 4 * X - X}),
    "autodiff": lambda t, wrong: Sides(left=X * 3, right=X + 2 * X, wrong={"x": X if wrong else 4 * X - X}),
    "bound": lambda t, wrong: BoundSides(
        sides=sides(np.exp), points=(X,), tight=(0.0,), wrong={"x": sides(lambda x: np.exp(x) / 2 if wrong else np.expm1(x) + 1)}
    ),
    "monte_carlo": lambda t, wrong: SampleSides(
        samples=np.random.default_rng(0).normal(0.5, 1, 4000), expected=0.5, wrong={"x": 0.7 if wrong else 0.501}
    ),
}


@pytest.mark.parametrize("kind", SURE)
def test_a_wrong_form_of_a_step_is_refused(kind):
    toy = Toy()
    result = step(kind, SURE[kind](toy, True))
    assert result.passed, result.error
    assert "it would hold, too, with this mistake: x" in step(kind, SURE[kind](toy, False)).error


@pytest.mark.parametrize("kind", SURE)
def test_only_a_loose_comparison_needs_a_wrong_form(kind):
    result = step(kind, SURE[kind](Toy(), True)._replace(wrong={}))
    assert result.passed == (kind not in ("bound", "monte_carlo"))
    assert result.passed or "it names no wrong form" in result.error


def test_a_bound_is_tight_where_something_is_left():
    def squares(x):
        return x**2, 2 * x**2

    false_constant = {"x": lambda x: (x**2, x**2 / 2)}
    returned = BoundSides(sides=squares, points=(X,), tight=(0.0,), wrong=false_constant)
    assert "the tight pair is 0 = 0" in step("bound", returned).error


def test_residuals_are_relative_where_numbers_are_small():
    def compared(left, right, **options):
        return step("numeric", Sides(left=left, right=right), **options)

    assert not compared(np.float64(1e-20), np.float64(2e-20)).passed
    assert compared(np.float64(1e-20), np.float64(1e-20) * (1 + 1e-14)).passed
    assert "compares nothing" in compared(np.zeros(3), np.zeros(3) * 1.0).error
    assert compared(np.zeros(3), np.full(3, 1e-14), scale=1.0).passed


def test_a_role_is_one_of_the_words():
    assert "role 'axiom' is none of" in step("numeric", SURE["numeric"](Toy(), True), role="axiom").error


def test_the_lemma_of_a_line_is_what_the_chain_rests_on():
    toy = Toy()
    gap = toy.valley("The tangent", toy.a - 1 - log(toy.a), toy.a, 1, "so", wrong={"half": toy.a / 2 - 1 - log(toy.a)})
    line = at_least(0, "the lemma", dropping=gap.at(toy.b), wrong={"more": 1})
    assert toy.rests_on(toy.chain("At b", gap.at(toy.b), line, uses=(bridge,))) == (bridge, gap)


# ---------------------------------------------------------------------------------------------------- algorithms


def test_an_algorithm_has_numbered_lines_their_sources_and_its_first_numbers():
    toy = whole()
    lines = do("start at $x_0$"), do("for $k = 1, 2$:"), do("halve", math.sqrt, by=toy.central, indent=1)
    toy.algorithm("Halving", *lines)(lambda: iter([("x_1", math.sqrt(16.0), "4"), ("x_2", 2.0, "2")]))
    results = toy.run()
    page = lecture_page(toy, results)
    claims = [result.claim for result in results if isinstance(result.part, Algorithm)]
    assert page.passed and claims == ["x_1 = 4", "x_2 = 2"]
    (item,) = (item for item in page.items if item.form == "algorithm")
    assert [(line.number, line.functions, line.indent) for line in item.lines] == [
        ("", (), 0),
        ("", (), 0),
        ("(1)", ("sqrt",), 1),
    ]
    assert '<ol class="lines">' in html(page) and "<code>sqrt</code>" in html(page)
    assert r"\item \hspace*{1.5em}halve \hfill {\small (1), \texttt{sqrt}}" in tex(page, ["figure.pdf"])
    printed = io.StringIO()
    print_page(page, console=console_of_the_page(file=printed))
    words = "Algorithm. Halving\n     1. start at x₀\n     2. for k = 1, 2:\n     3.   halve  [(1), sqrt]\n"
    assert words in "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


@pytest.mark.parametrize(
    ("lines", "body", "words"),
    [
        ((do("halve", math.sqrt),), lambda: iter([("x", 2.0, "2")]), "names sqrt, which its example does not call"),
        ((do("halve"),), lambda: iter([("x", 3.0, "2")]), "computed: 3"),
        ((do("halve"),), lambda: iter([]), "needs a number"),
        ((), lambda: iter([("x", 2.0, "2")]), "needs a title and an instruction"),
    ],
)
def test_an_algorithm_without_its_numbers_is_refused(lines, body, words):
    toy = whole()
    toy.algorithm("Halving", *lines)(body)
    (error,) = (result.error for result in toy.run() if not result.passed)
    assert words in error
