"""Bridges: code that computes what was derived passes, other code fails, and a bridge that could not fail is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from sympy import exp, log

from tests.theory.test_chains import Toy
from theory_jax.derivation.bridges import DRAWS, function_of, leaves, with_leaf
from theory_jax.derivation.mutation import mutants
from theory_jax.derivation.notation import Entropy, Total
from theory_jax.foundations.maximum_likelihood import cross_entropy, entropy, gaussian_maximum_likelihood


def of_a_topic(function):
    """A toy function as a topic's own."""
    function.__module__ = "theory_jax.toys"
    return function


def result_of(toy, *arguments, **options):
    """The result of a bridge alone."""
    toy.parts.clear()
    toy.bridge("The code", *arguments, **options)
    return toy.run()[-1]


def recorded(answer):
    """A topic's function that returns `answer` of its inputs, and the list of the inputs that it was called with."""
    calls = []

    @of_a_topic
    def function(**inputs):
        calls.append(inputs)
        return answer(**inputs)

    return function, calls


# ---------------------------------------------------------------------------------------------------- inputs


def test_a_scalar_is_a_number_and_the_function_is_called_once_a_draw():
    toy = Toy()
    function, calls = recorded(lambda x, scale: x * scale)
    assert result_of(toy, toy.a * toy.b, function, x=toy.a, scale=toy.b).passed
    assert len(calls) == DRAWS and len({call["x"] for call in calls}) == DRAWS
    assert all(type(call["x"]) is np.float64 for call in calls)


def test_a_list_is_a_batch_of_one_and_a_free_index_an_axis():
    toy = Toy()
    result = result_of(toy, Entropy(toy.p), entropy, log_probs=[log(toy.p)])
    assert result.passed and result.words.startswith("the code agrees at 5 random points, ")
    function, calls = recorded(lambda x: x)
    assert result_of(toy, toy.x, function, x=[toy.x]).passed
    assert {call["x"].shape for call in calls} == {(1, 4)}


def test_two_free_indices_are_two_axes_in_alphabetical_order():
    toy = Toy()
    j = toy.index("j", "another state", states=2)
    w = toy.numbers("w", (toy.k, j), "a matrix")
    function, calls = recorded(lambda w, x: x @ w)
    assert result_of(toy, Total(j, w * toy.x.at(j)), function, w=w, x=toy.x.at(j)).passed
    assert {call["w"].shape for call in calls} == {(2, 4)}
    assert "> 1e-11" in result_of(toy, Total(j, w), function, w=w, x=toy.x.at(j)).error


def test_the_states_of_an_index_are_those_of_the_bridge():
    toy = Toy()
    function, calls = recorded(lambda x: jnp.sum(x))
    assert result_of(toy, Total(toy.k, toy.x), function, x=toy.x, states=6).passed
    assert result_of(toy, Total(toy.k, toy.x), function, x=toy.x, sizes={toy.k: 2}).passed
    assert [call["x"].shape for call in calls] == [(6,)] * DRAWS + [(2,)] * DRAWS


def test_nested_lists_and_matrices_are_matrices():
    toy = Toy()
    function, calls = recorded(lambda matrix: jnp.linalg.det(matrix))
    entries = [[toy.a, toy.m], [toy.m, toy.b]]
    assert result_of(toy, toy.a * toy.b - toy.m**2, function, matrix=entries, tolerance=1e-9).passed
    assert result_of(toy, toy.a * toy.b - toy.m**2, function, matrix=sympy.Matrix(entries), tolerance=1e-9).passed
    assert {call["matrix"].shape for call in calls} == {(2, 2)}
    for half in (calls[:DRAWS], calls[DRAWS:]):
        assert all(call["matrix"][0, 1] == call["matrix"][1, 0] for call in half)


def test_an_expression_may_be_nested_lists_too():
    toy = Toy()

    @of_a_topic
    def outer(x):
        return jnp.outer(x, x)

    pair = [toy.a, toy.b]
    assert result_of(toy, [[toy.a**2, toy.a * toy.b], [toy.a * toy.b, toy.b**2]], outer, x=pair).passed
    assert not result_of(toy, [[toy.a**2, toy.a * toy.b], [toy.a, toy.b**2]], outer, x=pair).passed


def test_an_integer_input_is_an_int():
    toy = Toy()
    n = toy.number("n", "how many", integer=True, positive=True)
    function, calls = recorded(lambda count: float(sum(range(count + 1))))
    assert result_of(toy, n * (n + 1) / 2, function, count=n).passed
    assert {type(call["count"]) for call in calls} == {int}
    function, calls = recorded(lambda counts: jnp.sum(counts))
    assert result_of(toy, n + 2, function, counts=[n, 2]).passed
    assert all(call["counts"].dtype.kind == "i" for call in calls)


def test_what_is_no_expression_is_passed_as_it_is():
    toy = Toy()
    table, word = np.arange(4.0), "mean"

    @of_a_topic
    def reduced(x, weights, how, keep):
        assert weights is table and how is word and keep is False
        return jnp.sum(x * weights)

    assert result_of(toy, sum(n * toy.x.at(n) for n in range(4)), reduced, x=toy.x, weights=table, how=word, keep=False).passed


def test_a_function_of_numbers_is_an_input():
    toy = Toy()
    y = toy.y

    @of_a_topic
    def slope_at(energy, at):
        return jax.grad(energy)(at)

    assert result_of(toy, 2 * toy.a * toy.b, slope_at, energy=function_of(y, toy.a * y**2), at=toy.b).passed
    assert not result_of(toy, toy.a * toy.b, slope_at, energy=function_of(y, toy.a * y**2), at=toy.b).passed

    @of_a_topic
    def crossed(of_two):
        return of_two(2.0, 3.0)

    assert result_of(toy, 4 + 3 * toy.a, crossed, of_two=function_of(y, toy.m, y**2 + toy.a * toy.m)).passed


def test_the_argument_of_a_function_need_not_be_introduced_and_what_is_drawn_in_it_must_be():
    toy, t, stranger = Toy("Why?"), *sympy.symbols("t w", positive=True)

    @of_a_topic
    def at_two(energy):
        return energy(2.0)

    assert result_of(toy, 2 * toy.a, at_two, energy=function_of(t, toy.a * t)).passed
    refusal = result_of(toy, 2 * toy.a, at_two, energy=function_of(t, stranger * t)).error
    assert "uses w, which the setting does not introduce" in refusal
    assert "uses w, which" in result_of(toy, 2 * stranger, at_two, energy=function_of(t, t)).error


def test_a_slope_is_that_of_the_sum_by_the_input_that_is_named():
    toy = Toy()

    @of_a_topic
    def squares(x, *, scale):
        return scale * x**2

    assert result_of(toy, 2 * toy.a * toy.x, squares, x=toy.x, scale=toy.a, slope="x").passed
    assert result_of(toy, Total(toy.k, toy.x**2), squares, x=toy.x, scale=toy.a, slope="scale").passed
    assert not result_of(toy, toy.a * toy.x, squares, x=toy.x, scale=toy.a, slope="x").passed


# ---------------------------------------------------------------------------------------------------- what is returned


def test_several_things_are_compared_with_a_tuple_and_none_is_left_out():
    toy = Toy()
    mean = Total(toy.k, toy.x) / 4
    variance = Total(toy.k, (toy.x - mean) ** 2) / 4
    column = [[toy.x.at(n)] for n in range(4)]
    assert result_of(toy, (mean, log(variance)), gaussian_maximum_likelihood, x=column).passed
    assert result_of(toy, (None, log(variance)), gaussian_maximum_likelihood, x=column).passed
    for wrong in ((mean, variance), (2 * mean, log(variance)), (None, variance)):
        assert "> 1e-11" in result_of(toy, wrong, gaussian_maximum_likelihood, x=column).error
    assert "returned 2 things; the expression has 1" in result_of(toy, (mean,), gaussian_maximum_likelihood, x=column).error


@pytest.mark.parametrize(
    ("factor", "passed"), [(1, True), (1 + 1e-9, False), (jnp.nan, False), (jnp.inf, False)], ids=["same", "off", "nan", "inf"]
)
def test_code_that_computes_something_else_fails(factor, passed):
    toy = Toy()
    result = result_of(toy, Entropy(toy.p), of_a_topic(lambda x: factor * entropy(x)), calls=(entropy,), x=[log(toy.p)])
    assert result.passed == passed and ("> 1e-11" in result.error) != passed


def test_a_number_that_is_no_number_on_both_sides_is_no_agreement():
    toy = Toy()
    toy.number("z", "a number below zero", negative=True)
    assert not result_of(toy, sympy.nan * toy.a, of_a_topic(lambda x: x * jnp.nan), calls=(entropy,), x=toy.a).passed


def test_the_difference_is_relative_to_the_largest_number_of_its_draw():
    toy = Toy()
    for expression, passed in ((toy.x * sympy.Float(1e-30), True), (toy.x * sympy.Float(1.001e-30), False)):
        assert result_of(toy, expression, of_a_topic(lambda x: x * 1e-30), calls=(entropy,), x=toy.x).passed == passed


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda x: jnp.sum(x), "the code returned the shape []; the expression has [4]"),
        (lambda x: x[:3], "the code returned the shape [3]; the expression has [4]"),
        (lambda x: jnp.stack([x, x]), "the code returned the shape [2, 4]; the expression has [4]"),
    ],
)
def test_another_shape_is_refused(code, words):
    toy = Toy()
    error = result_of(toy, toy.x, code, calls=(entropy,), x=toy.x).error
    assert error.startswith("refused: ") and words in error


def test_an_axis_of_length_one_counts_for_nothing():
    toy = Toy()
    assert result_of(toy, toy.x, lambda x: x[None, :, None], calls=(entropy,), x=toy.x).passed


def _private(x):
    return x


_private.__module__ = "theory_jax.foundations.maximum_likelihood"


def of_a_lecture(x):
    return x


of_a_lecture.__module__ = "theory_jax.lectures.foundations.jensen"


@pytest.mark.parametrize(
    "code", [_private, of_a_lecture, np.abs, of_a_topic(lambda x: x)], ids=["_", "lecture", "numpy", "lambda"]
)
def test_code_that_is_no_topics_function_names_those_that_it_compares(code):
    toy = Toy()
    error = result_of(toy, toy.a, code, x=toy.a).error
    assert error.startswith("refused: ") and "is no public function of a topic: name the compared ones (calls=)" in error
    assert result_of(toy, exp(log(toy.a)), lambda x: x, calls=(entropy,), x=toy.a).passed
    assert "is no public function" in result_of(toy, toy.a, lambda x: x, calls=(entropy, code), x=toy.a).error


def test_a_wrong_form_that_agrees_is_refused():
    toy = Toy()
    mistake = {"written otherwise": -Total(toy.k, toy.p * log(toy.p))}
    error = result_of(toy, Entropy(toy.p), entropy, log_probs=[log(toy.p)], wrong=mistake).error
    assert error == "refused: the code would agree, too, with this mistake: written otherwise"
    assert result_of(toy, Entropy(toy.p), entropy, log_probs=[log(toy.p)], wrong={"the sign": -Entropy(toy.p)}).passed
    mean, column = Total(toy.k, toy.x) / 4, [[toy.x.at(n)] for n in range(4)]
    error = result_of(toy, (mean, None), gaussian_maximum_likelihood, x=column, wrong={"the same": (mean, None)}).error
    assert error.endswith("this mistake: the same")


def test_a_bridge_needs_a_title():
    toy = Toy()
    toy.bridge(" ", Entropy(toy.p), entropy, log_probs=[log(toy.p)])
    assert "a bridge needs a title" in toy.run()[0].error


# ---------------------------------------------------------------------------------------------------- mutants


def test_a_leaf_of_nested_structures_is_exchanged():
    a, b, c = sympy.symbols("a b c")
    nested = ([a, [b]], None, 2.0)
    assert leaves(nested) == [a, b, sympy.Float(2.0)]
    assert [with_leaf(nested, n, c) for n in range(3)] == [([c, [b]], None, 2.0), ([a, [c]], None, 2.0), ([a, [b]], None, c)]
    with pytest.raises(IndexError):
        with_leaf(nested, 3, c)


def test_every_part_of_what_a_bridge_compares_is_mutated():
    toy = Toy()
    mean = Total(toy.k, toy.x) / 4
    variance = Total(toy.k, (toy.x - mean) ** 2) / 4
    toy.bridge("Both", (mean, log(variance)), gaussian_maximum_likelihood, x=[[toy.x.at(n)] for n in range(4)])
    both = list(mutants(toy))
    assert len(both) > 4 and all(mutant.refused for mutant in both)
    assert {mutant.name for mutant in both} == {"Both"} and any(r"\log" in mutant.change for mutant in both)
    toy = Toy()
    toy.bridge("One", (None, log(variance)), gaussian_maximum_likelihood, x=[[toy.x.at(n)] for n in range(4)])
    assert 0 < len(list(mutants(toy))) < len(both)


def test_a_bridge_that_is_too_loose_is_found_out():
    toy = Toy()
    toy.bridge(
        "Loose", -Total(toy.k, toy.p * log(toy.q)), cross_entropy, log_probs_p=[log(toy.p)], log_probs_q=[log(toy.q)], tolerance=3
    )
    found = list(mutants(toy))
    assert found and not any(mutant.refused for mutant in found)
