"""Texts whose relations are executed: what holds, what is refused, and how it is printed and counted."""

import pickle

import pytest
import sympy

from theory_jax.derivation.chains import at_least
from theory_jax.derivation.ground import Ground
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.mutation import mutants
from theory_jax.derivation.notation import Expectation, Largest, Normal, plus
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.pages.counts import relations_by_place
from theory_jax.pages.page import lecture_page

toy = Derivation(title="A toy", module="theory_jax.lectures.toys.toy", question="Which?", setting=("None.",))
k = toy.index("k", "a state")
p, q = toy.law("p", k, "a law"), toy.law("q", k, "another")
s = toy.numbers("s", k, "a number for each state")
m, t = toy.number("m", "a mean"), toy.number("t", "a variance", positive=True)
u, z = toy.number("u", "between zero and one", between=(0, 1)), toy.number("z", "a draw")
SECOND = Expectation(Normal(z, m, t), z**2)


def results(answer="", **of_chain):
    """The results of the toy with an answer, and a chain that leaves a divergence out, with its texts."""
    toy.answer, toy.parts[:] = answer, []
    because, so = of_chain.get("because", "Gibbs"), of_chain.get("so", "")
    lines = (at_least(Expectation(p, sympy.log(q)), because, dropping=gibbs.at(p, q)),)
    toy.chain("A chain", Expectation(p, sympy.log(p)), *lines, so=so, central=True)
    return toy.run(debug=True)


def failed(some):
    return [result.error for result in some if not result.passed]


def test_a_field_is_printed_as_its_expression_and_text_in_dollars_is_left_alone():
    text = prose("With $x_{m}$ and {m}, {second}; {letter}.", m=m, second=holds(SECOND, "=", m**2 + t), letter=means("w", 1 + m))
    assert text == r"With $x_{m}$ and $m$, $" + text.relations[0].latex + "$; $w = 1 + m$."
    assert isinstance(text, str) and text.relations[0].latex.endswith("= t + m^{2}")


def test_a_text_is_copied_with_its_fields():
    text = prose("At {place} it is {it}.", place=where(m, 2), it=holds(t, ">", 0), said=())
    again = pickle.loads(pickle.dumps(text))
    assert again == text and again.fields == text.fields and again.conditions == {m: 2}


def test_a_side_that_the_words_name_is_executed_and_not_printed():
    text = prose("Its mean square is {second}.", second=holds(SECOND, "=", m**2 + t, named=True))
    assert text == "Its mean square is $t + m^{2}$." and not failed(results(text))
    assert failed(results(prose("{second}", second=holds(SECOND, "=", m**2 - t, named=True))))


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        (holds(SECOND, "=", m**2 + t, wrong={"the variance forgotten": m**2}), "holds for all $m$, $t > 0$"),
        (holds(u**2, "<=", u), r"holds for all $u \in (0, 1)$"),
        (holds(u, "<", 1), "holds at 24 points"),
        (holds(SECOND, "=", t, when={m: 0}), "holds for all $t > 0$"),
        (holds(m + 1, "!=", m), "they differ for all $m$"),
        (holds(sympy.log(p), "=", sympy.log(q), when={p: q}), "holds for all $q_{k}$ on 3 states"),
        (holds(q * sympy.Min(1, p / q), "=", sympy.Min(p, q)), "holds for all $p_{k}$, $q_{k}$ on 3 states"),
    ],
)
def test_a_relation_is_executed(relation, words):
    (result, _) = results(prose("{it}", it=relation))
    assert result.passed and result.words == words and result.claim == relation.latex


@pytest.mark.parametrize(
    ("relation", "error"),
    [
        (holds(SECOND, "=", m**2 - t), "false at $"),
        (holds(u, "<=", u**2), "false at $u"),
        (holds(t, "<", 1), "false at $t"),
        (holds(SECOND, "=", t, when={m: 1}), "false at every point: off by 1"),
        (holds(m, "!=", m), "they are equal"),
        (holds(m**2, "=", m**2, wrong={"itself": m * m}), "would hold, too, with this mistake: itself"),
    ],
)
def test_a_false_relation_is_refused(relation, error):
    assert error in failed(results(prose("{it}", it=relation)))[0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (prose("$m = 1$"), "$m = 1$ is a relation that nothing executes"),
        (prose("$m \\to 1$ {x}", x=m), "nothing executes"),
        (prose("{x} and {y}", x=m), "has no field for {y}"),
        (prose("{x}", x=m, y=t), "has no place for its field y"),
        (prose("$m$ is it", said=("m = 1",)), "does not contain"),
        (prose("{x}", x=sympy.Symbol("b")), "uses b, which the setting does not introduce"),
        (prose("At {place} it is {it}", place=where(m, 2), it=holds(m, "=", 2)), "repeats a condition of the text"),
        (prose("At {place}, {it}", place=where(SECOND, 2), it=holds(m, "=", 2)), "is defined by others"),
        (prose("At {place}, {it}", place=where(p.at(0), u), it=holds(p.at(1), "=", 2)), "gives all of its probabilities"),
    ],
)
def test_a_text_without_a_meaning_is_refused(text, error):
    assert error in failed(results(text))[0]


def test_what_is_said_is_counted_and_not_executed():
    some = results(prose(r"In the limit $m \to 1$, {it}.", it=holds(m, "=", m + t - t), said=(r"m \to 1",)), so="so $m = 1$")
    page = lecture_page(toy, some)
    assert page.passed and page.summary.endswith("1 relation of the text holds, 1 relation of the text stated")
    assert relations_by_place(toy) == {"answer": {"executed": 1, "stated": 1}, "conclusions": {"unmarked": 1}}


def test_conditions_of_a_text_hold_for_its_relations():
    assert not failed(results(so=prose("At {place}: {it}.", place=where(m, 0), it=holds(SECOND, "=", t))))
    assert failed(results(so=prose("At {place}: {it}.", place=where(m, 1), it=holds(SECOND, "=", t))))


def test_an_inequality_is_tight_at_the_place_of_equality_and_not_elsewhere():
    assert not failed(results(because=prose("Gibbs; equality at {place}", place=where(q, p))))
    half = sympy.Rational(1, 3)
    wrong = failed(results(because=prose("Gibbs; equality at {place}", place=where(q, half))))
    assert "what is left out does not vanish there" in wrong[0]
    anywhere = failed(results(because=prose("Gibbs; equality at {place} and {m}", place=where(q, p), m=where(m, 0))))
    assert "vanishes, too, where $m$ is not $0$" in anywhere[0]


def test_a_square_that_is_rounding_alone_vanishes():
    toy.answer, toy.parts[:] = "", []
    mean = Expectation(p, s)
    because = prose("leave out a variance; equality where all are equal, {same}", same=where(s, s.at(0)))
    squares = t * Expectation(p, (s - mean) ** 2)
    toy.chain("A variance", plus(t * mean**2, squares), at_least(t * mean**2, because, dropping=squares))
    assert not failed(toy.run(debug=True))


def test_a_number_may_leave_a_maximum_of_maxima():
    j = toy.index("j", "another state")
    table = toy.numbers("a", (k, j), "a table")
    apart = holds(
        Largest(k, Largest(j, s + table)), "=", Largest(k, plus(s, Largest(j, table))), wrong={"j's own": Largest(j, table)}
    )
    results(so=prose("{it}", it=apart))
    assert "holds for all" in apart.execute(Ground()).words
    (refused,) = failed(
        results(so=prose("{it}", it=holds(Largest(k, s + Largest(j, table)), "=", Largest(k, s) + Largest(j, table))))
    )
    assert "false at" in refused


def test_a_failure_is_shown_with_its_part():
    some = results(so=prose("{it}", it=holds(SECOND, "=", m**2)))
    (item,) = lecture_page(toy, some).body
    assert not item.passed and "false at" in item.errors[0]


def test_the_conditions_of_a_question_hold_in_its_answer():
    results()
    question, answer = prose("Let {m}. What is it?", m=where(m, 2)), prose("{it}.", it=holds(SECOND, "=", t + 4))
    toy.exercise(question, answer)(lambda: iter([(4.0, "4")]))
    assert [result.passed for result in toy.run(debug=True)] == [True, True, True]


def test_relations_of_texts_are_mutated():
    results(
        prose("{it}, {less}.", it=holds(SECOND, "=", m**2 + t), less=holds(u**2, "<=", u)),
        because=prose("Gibbs; at {place}", place=where(q, p)),
    )
    of_texts = [mutant for mutant in mutants(toy) if "$" in mutant.change]
    assert len(of_texts) > 6 and all(mutant.refused for mutant in of_texts)
    assert any("> u" in mutant.change for mutant in of_texts)


def test_a_condition_that_is_dropped_is_noticed_if_a_relation_needs_it():
    def without(text):
        """The mutants of a text that lack a condition: (which, whether it is refused)."""
        results(text)
        found = [mutant for mutant in mutants(toy) if mutant.change.startswith("without ")]
        assert all(mutant.of_text for mutant in found)
        return [(mutant.change, mutant.refused) for mutant in found]

    needed = prose("At {place} it is {it}.", place=where(t, 0), it=holds(SECOND, "=", m**2))
    assert without(needed) == [("without $t = 0$", True)]
    idle = prose("At {place} it is {it}.", place=where(t, 0), it=holds(SECOND, "=", m**2 + t))
    assert without(idle) == [("without $t = 0$", False)]
