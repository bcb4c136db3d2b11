"""Chains and lemmas: a true line is derived, a false one fails, and what could not fail is refused."""

import jax.numpy as jnp
import pytest
import sympy
from sympy import exp, log

from theory_jax.derivation.chains import Chain, at_least, at_most, equals, lemmas_in
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Normal, Slope, SquaredNorm, Total, Variance
from theory_jax.derivation.references import Reference
from theory_jax.derivation.setting import letters
from theory_jax.lectures.lemmas.jensen import jensen


class Toy(Derivation):
    """A derivation with symbols of every kind and no parts. question: the strict form."""

    def __init__(self, question="", module=""):
        super().__init__(title="A toy", question=question, module=module)
        self.k = self.index("k", "a state")
        self.p, self.q = self.law("p", self.k, "a law"), self.law("q", self.k, "another law")
        self.x = self.numbers("x", self.k, "numbers")
        self.a, self.b = (self.number(name, "a positive number", positive=True) for name in "ab")
        self.m, self.y = self.number("m", "a number"), self.number("y", "another number")
        self.f = self.function("f", "a smooth function")
        self.u = self.number("u", "between zero and one", between=(0, 1))

    def only(self, start, *lines, **options):
        """The results of one chain."""
        chain = self.chain(f"A chain, part {len(self.parts)}", start, *lines, **options)
        return [result for result in self.run() if result.part is chain]


def one(true, start, wrong, *, line=equals, toy=None, **options):
    """The result of a chain of one line."""
    (result,) = (toy or Toy()).only(start, line(true, "it is so", wrong={"a mistake": wrong}, **options))
    return result


# what is true, what is false, and what the true one is derived for
LINES = {
    "laws on finitely many states": (
        lambda t: (Expectation(t.p, log(t.p / t.q)), Divergence(t.p, t.q), Divergence(t.q, t.p)),
        "derived for all $p_{k}$, $q_{k}$ on 3 states",
    ),
    "probabilities sum to one": (
        lambda t: (Total(t.k, t.p * t.a), t.a, 3 * t.a),
        "derived for all $p_{k}$ on 3 states; all $a > 0$",
    ),
    "the moments of a Gaussian": (
        lambda t: (Expectation(Normal(t.y, t.m, t.a), t.y**2), t.m**2 + t.a, t.m**2 + 2 * t.a),
        "derived for all $a > 0$, $m$",
    ),
    "the entropy of a Gaussian": (
        lambda t: (Entropy(Normal(t.y, t.m, t.a)), (log(2 * sympy.pi * t.a) + 1) / 2, log(2 * sympy.pi * t.a) / 2),
        "derived for all $a > 0$, $m$",
    ),
    "logarithms": (lambda t: (log(t.a * t.b), log(t.a) + log(t.b), log(t.a) - log(t.b)), "derived for all $a > 0$, $b > 0$"),
    "a variance": (
        lambda t: (Variance(t.p, t.x), Expectation(t.p, t.x**2) - Expectation(t.p, t.x) ** 2, Expectation(t.p, t.x**2)),
        "derived for all $p_{k}$ on 3 states; all $x_{k}$",
    ),
    "a norm": (lambda t: (SquaredNorm(t.k, t.x), Total(t.k, t.x**2), Total(t.k, t.x) ** 2), "derived for all $x_{k}$"),
    "a derivative": (
        lambda t: (Slope(exp(t.a * t.y), t.y), t.a * exp(t.a * t.y), exp(t.a * t.y)),
        "derived for all $a > 0$, $y$",
    ),
    "an unspecified function": (
        lambda t: (Slope(t.f(t.y) ** 2, t.y), 2 * t.f(t.y) * t.f(t.y).diff(t.y), t.f(t.y).diff(t.y) ** 2),
        "derived for all $y$",
    ),
    "a limit": (lambda t: (Limit((exp(t.a * t.b) - 1) / t.b, t.b, 0), t.a, t.a / 2), "derived for all $a > 0$"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_true_line_is_derived_for_all_and_a_false_one_fails_where_it_is_false(name):
    make, words = LINES[name]
    toy = Toy()
    start, true, false = make(toy)
    result = one(true, start, false, toy=toy)
    assert (result.passed, result.error, result.words) == (True, "", words)
    toy = Toy()
    start, true, false = make(toy)
    result = one(false, start, true + 1, toy=toy)
    assert not result.passed
    assert "false at " in result.error and "off by " in result.error


def test_a_number_between_bounds_is_printed_with_them():
    toy = Toy()
    assert one(1 - toy.u**2, (1 - toy.u) * (1 + toy.u), 1 - toy.u, toy=toy).words == r"derived for all $u \in (0, 1)$"


def test_maxima_are_reduced_by_absolute_values():
    toy = Toy()
    result = one(toy.a + toy.b, sympy.Max(toy.a, toy.b) + sympy.Min(toy.a, toy.b), toy.a, toy=toy)
    assert result.words == "derived for all $a > 0$, $b > 0$"
    larger = sympy.Max(toy.m * toy.a, toy.m * toy.b)
    assert one(larger, toy.m * toy.a + sympy.Max(toy.m * (toy.b - toy.a), 0), toy.m, toy=toy).passed
    toy = Toy()
    assert one(toy.a * sympy.Min(1, toy.b / toy.a), sympy.Min(toy.a, toy.b), toy.a, toy=toy).passed


def test_what_is_compared_at_points_is_not_called_derived():
    toy = Toy()
    assert one(toy.a, toy.a * Total(toy.k, toy.p), toy.b, toy=toy, points=20).words == "checked at 20 points"
    assert "false at" in one(toy.a * (1 + sympy.Float("1e-7")), toy.a, 2 * toy.a, toy=toy, points=20).error


def test_a_line_that_is_not_reduced_requires_smaller_moves():
    toy = Toy()
    result = one(sympy.Max(toy.m, toy.y) ** 3, sympy.Max(toy.m**3, toy.y**3), toy.a, toy=toy)
    assert not result.passed and "write smaller moves, or say points=" in result.error


def test_inequalities_pass_by_a_square_a_sign_or_a_lemma():
    toy = Toy()
    square = (toy.m - toy.y) ** 2
    up, down = {"the square once more": toy.a + square}, {"subtracted": toy.a - square}
    assert all(r.passed for r in toy.only(toy.a + square, at_least(toy.a, "leave out a square", dropping=square, wrong=up)))
    toy = Toy()
    assert all(r.passed for r in toy.only(toy.a, at_most(toy.a + square, "add a square", adding=square, wrong=down)))
    toy = Toy()
    gap = toy.valley("The tangent", toy.a - 1 - log(toy.a), toy.a, 1, "so", wrong={"half": toy.a / 2 - 1 - log(toy.a)})
    dropped = gap.at(toy.b)
    (result,) = toy.only(dropped, at_least(0, "the lemma", dropping=dropped, wrong={"more": 1}))
    assert result.passed
    assert toy.rests_on(result.part) == (gap,)


FAILS = {
    "nothing dropped": (lambda t: at_least(t.a, "so", dropping=0, wrong={"x": 7}), "must say what it leaves out"),
    "the sign of what is dropped": (lambda t: at_least(t.a, "so", dropping=t.m, wrong={"x": 7}), "nothing shows that $m$"),
    "a difference that is not dropped": (lambda t: at_least(t.a / 2, "so", dropping=t.m**2, wrong={"x": 7}), "false at"),
    "something negative added": (lambda t: at_most(t.a + t.m - t.a**2, "so", adding=-(t.a**2), wrong={"x": 7}), "nothing shows"),
}


@pytest.mark.parametrize("name", FAILS)
def test_an_inequality_shows_that_what_it_leaves_out_is_never_negative(name):
    make, words = FAILS[name]
    toy = Toy()
    (result,) = toy.only(toy.a + toy.m, make(toy))
    assert not result.passed and words in result.error


REFUSED = {
    "a repeated line": (lambda t: [equals(t.a + t.b, "so", wrong={"x": 0})], "repeats the line above"),
    "no reason": (lambda t: [equals(Total(t.k, t.p * (t.a + t.b)), " ", wrong={"x": 0})], "gives no reason"),
    "a wrong form that holds": (
        lambda t: [equals(Total(t.k, t.p * (t.a + t.b)), "so", wrong={"swapped": t.b + t.a})],
        "would hold, too, with this mistake: swapped",
    ),
    "no lines": (lambda t: [], "needs a line"),
    "up and down": (
        lambda t: [at_least(t.a, "so", dropping=t.b, wrong={"x": 0}), at_most(t.a + t.b, "so", adding=t.b)],
        "up or down, not both",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_chain_that_could_not_fail_is_refused(name):
    make, words = REFUSED[name]
    toy = Toy()
    (result,) = toy.only(toy.a + toy.b, *make(toy))
    assert not result.passed
    assert result.error.startswith("refused: ") and words in result.error


def test_a_chain_needs_a_title():
    toy = Toy()
    toy.chain(" ", toy.a, equals(toy.a * Total(toy.k, toy.p), "so", wrong={"x": 0}))
    assert "needs a title" in toy.run()[0].error


# ---------------------------------------------------------------------------------------------------- lemmas


def lemma(expression, wrong, because="the slope changes its sign at 1"):
    """The results of a lemma about a function of a, zero at 1."""
    toy = Toy()
    toy.valley("A valley", expression(toy.a), toy.a, 1, because, wrong={"a mistake": wrong(toy.a)})
    return toy.run()


def test_a_lemma_is_zero_at_its_place_and_positive_elsewhere():
    zero, slope = lemma(lambda a: a - 1 - log(a), lambda a: a / 2 - log(a))
    assert zero.passed and slope.passed
    assert zero.claim == r"a - 1 - \log a = 0 \quad\text{at}\quad a = 1"
    assert "the factor is positive for all $a > 0$" in slope.words


@pytest.mark.parametrize(
    ("expression", "messages"),
    [
        (lambda a: a - log(a), ["it is $1$", ""]),
        (lambda a: log(a) - a + 1, ["", "nothing shows that"]),
        (lambda a: (a - 1) ** 3, ["", "nothing shows that"]),
    ],
)
def test_a_lemma_that_is_false_fails(expression, messages):
    results = lemma(expression, lambda a: a + 7)
    for result, words in zip(results, messages, strict=True):
        assert result.passed == (not words) and words in result.error


def test_a_lemma_that_could_not_fail_is_refused():
    (result,) = lemma(lambda a: a - 1 - log(a), lambda a: 2 * (a - 1) - 2 * log(a))
    assert "would hold, too, with this mistake: a mistake" in result.error
    (result,) = lemma(lambda a: a - 1 - log(a), lambda a: a, because="")
    assert "needs a title and a reason" in result.error


def test_a_lemma_refers_only_to_its_arguments():
    toy = Toy()
    wrong = {"a mistake": 1}
    gibbs = toy.chain("Gibbs", Divergence(toy.p, toy.q), equals(0, "not so", wrong=wrong), about=(toy.p, toy.q))
    with pytest.raises(ValueError, match="does not end in >= 0"):
        gibbs.at(toy.q, toy.p)
    ends = Chain("Ends", Divergence(toy.p, toy.q), (at_least(0, "so", dropping=toy.a),), about=(toy.p, toy.q))
    assert ends.at(toy.q, toy.p).is_nonnegative
    with pytest.raises(ValueError, match="is no law"):
        ends.at(toy.x, toy.p)
    gap = toy.valley("A valley", toy.a - 1 - log(toy.a), toy.a, 1, "so", wrong=wrong)
    with pytest.raises(ValueError, match="is not known to be positive"):
        gap.at(toy.m)


def test_the_condition_of_a_law_may_be_called_as_the_lemmas_own_index():
    """An entropy of a law over j, given k, by a lemma about laws over k: the k of the condition is kept."""
    toy = Toy()
    j = toy.index("j", "what depends on the state")
    given_k = toy.law("r({}|{})", (j, toy.k), "its law, given the state")
    lemma = Chain("A lemma", Expectation(toy.p, 1 - toy.p), (at_least(0, "so", dropping=toy.a),), about=(toy.p,))
    assert lemma.at(given_k).args[0] == Expectation(given_k, 1 - given_k)
    assert lemma.at(toy.q).args[0] == Expectation(toy.q, 1 - toy.q)
    of_two = Chain("Gibbs", Divergence(toy.p, toy.q), (at_least(0, "so", dropping=toy.a),), about=(toy.p, toy.q))
    other = toy.law("s", j, "another law")
    assert of_two.at(given_k, other).args[0] == Divergence(given_k, other)


# ---------------------------------------------------------------------------------------------------- the setting


def first_error(toy):
    """The reason for which the whole derivation is rejected."""
    result = toy.run()[0]
    assert not result.passed
    return result.error


def test_an_undefined_symbol_is_refused_in_chains_claims_and_definitions():
    stranger = sympy.Symbol("w", positive=True)
    toy = Toy("Why?")
    (result,) = toy.only(toy.a * stranger, equals(stranger * toy.a * Total(toy.k, toy.p), "so", wrong={"x": 0}))
    assert "uses w, which the setting does not introduce" in result.error
    toy = Toy("Why?")
    toy.exact(r"\log a + w_k = \max(a, e^{\pi})", because="so")(lambda: Sides(left=1.0, right=1.0 + 1e-16))
    assert "uses w, which" in toy.run()[-1].error
    toy = Toy("Why?")
    toy.define("d", stranger + toy.a, "a sum")
    toy.say("Nothing.")
    toy.exact("a = a", because="so")(lambda: Sides(left=1.0, right=2.0))
    assert "the definition of $d$ uses w" in first_error(toy)


def test_the_letters_of_a_claim():
    """Commands, words and the names of functions are none; a command that is not known may be one."""
    assert letters(r"\bar\ell \cdot \dfrac{\alpha}{\bigl\lVert x\bigr\rVert} \succeq \max \hat z") == {"l", r"\alpha", "x", "z"}
    assert letters(r"\begin{aligned} q &= \text{if } \operatorname{diag}(\mathbb{E}\, r) \end{aligned}") == {"q", "r"}
    assert letters(r"\thetaa") == {r"\thetaa"}


def test_symbols_have_a_meaning_and_are_what_they_are_called():
    for define, words in (
        (lambda t: t.number("z", " "), "introduced without a meaning"),
        (lambda t: t.define("r", t.p * t.a, "no law", over=t.k, law=True), "is not shown to sum to one"),
        (lambda t: t.define("r", t.a - t.b, "of either sign", positive=True), "nothing shows that"),
    ):
        toy = Toy("Why?")
        define(toy)
        toy.exact("a = a", because="so")(lambda: Sides(left=1.0, right=2.0))
        assert words in first_error(toy)
    toy = Toy("Why?")
    toy.define("r", toy.p * toy.q / Total(toy.k, toy.p * toy.q), "a law", over=toy.k, law=True)
    toy.exact("a = a", because="so")(lambda: Sides(left=1.0, right=jnp.cos(0.0)))
    assert all(result.passed for result in toy.run())


def test_a_lemma_about_an_interval_holds_inside_it_only():
    def lemma(toy):
        squared = toy.u - toy.u**2
        return toy.chain(
            "Squares are smaller",
            squared,
            equals(toy.u * (1 - toy.u), "factor", wrong={"sign": -squared}),
            at_least(0, "both factors are positive", dropping=toy.u * (1 - toy.u)),
            about=(toy.u,),
        )

    def used_at(toy, number):
        gap = lemma(toy).at(number)
        return toy.only(2 + gap, at_least(2, "leave out the gap", dropping=gap, wrong={"three": 3}))[0]

    toy = Toy()
    assert used_at(toy, toy.p).passed and used_at(Toy(), 1 / (1 + toy.a)).passed
    outside = used_at(toy, toy.a)
    assert not outside.passed and "nothing shows that $a$ is in $(0, 1)$" in outside.error


def test_a_lemma_about_a_number_for_each_state_holds_for_other_positive_numbers():
    toy = Toy()
    z = toy.index("z", "a state of another kind")
    law, other = toy.law("r", z, "its law"), toy.numbers("w", z, "positive numbers", positive=True)
    instance = jensen.at(law, other)
    assert toy.ground().vanishes(instance - log(Expectation(law, other)) + Expectation(law, log(other)))
    assert toy.ground().never_negative(instance)
    with pytest.raises(ValueError, match="is not known to be positive"):
        jensen.at(toy.p, toy.x)
    with pytest.raises(ValueError, match="has no index"):
        jensen.at(toy.p, toy.a)


def test_a_lemma_with_a_name_for_what_it_is_about_is_used_only_there():
    toy = Toy()
    square = toy.define("s", toy.m**2, "a square")
    twice = toy.define("d", 2 * square, "twice the square")
    lemma = toy.chain("It is", twice, at_least(0, "a square", dropping=2 * toy.m**2), about=(toy.m,))
    assert toy.ground().vanishes(lemma.at(toy.m) - 2 * toy.m**2)
    with pytest.raises(ValueError, match="is defined by what the lemma is about"):
        lemma.at(toy.y)


# ---------------------------------------------------------------------------------------------------- lemmas of one title


def a_square(toy):
    """A lemma about every number."""
    return toy.chain("A square", toy.m**2, at_least(0, "it is one", dropping=toy.m**2, wrong={"one": 1}), about=(toy.m,))


def test_lemmas_of_one_title_from_two_lectures_are_two():
    toys = [Toy(module=f"theory_jax.lectures.toys.{name}") for name in ("first", "second")]
    lemmas = tuple(map(a_square, toys))
    first, second = (lemma.at(toys[0].y) for lemma in lemmas)
    assert first != second and first == lemmas[0].at(toys[0].y)
    assert lemmas_in([first + second]) == tuple(Reference(lemma.module, lemma.title) for lemma in lemmas)


def test_two_lemmas_of_one_lecture_must_not_have_one_title():
    toy = Toy(module="theory_jax.lectures.toys.first")
    a_square(toy)
    a_square(toy)
    assert [result.error for result in toy.run()] == [
        "refused: 2 parts have the title 'A square': a reference to one could mean another"
    ] * 2
