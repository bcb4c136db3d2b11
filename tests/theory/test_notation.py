"""Expressions of the notation are what SymPy takes an expression to be: rebuilt from its arguments, and pickled."""

import pickle

import pytest
import sympy

from theory_jax.derivation import notation
from theory_jax.derivation.bridges import leaves
from theory_jax.derivation.chains import at_least
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.loading import derivation_of
from theory_jax.derivation.notation import Node, plus, times
from theory_jax.derivation.typeset import latex


def one_of_every_node():
    """An expression of every class of the notation."""
    toy = Derivation(title="A toy", module="tests.toy")
    k, j = toy.index("k", "a state"), toy.index("j", "another")
    p, q = toy.law("p", k, "a law"), toy.law("q({}|{})", (k, j), "a conditional law")
    x, m = toy.numbers("x", k, "numbers"), toy.number("m", "a number")
    u = toy.number("u", "between zero and one", between=(0, 1))
    square = toy.chain("A square", m**2, at_least(0, "it is one", dropping=m**2), about=(m,), name="s({})")
    between = toy.chain("At most one", 1 - u, at_least(0, "so", dropping=1 - u), about=(u,))
    normal = notation.Normal(m, x.at(0), 2)
    f, g = toy.function("f", "a function"), toy.function("g", "another, of two numbers", arguments=2)
    yield from (k, p, q, x.at(k + 1), toy.define("y", p * m, "a product", over=k), normal, notation.LogDensity(m, 0, p))
    yield from (notation.Total(k, p), notation.Product(k, p), notation.Largest(k, x), notation.Count(k, "K"))
    yield notation.SquaredNorm(k, x)
    yield from (notation.Inner(k, x, p), notation.Expectation(p, x), notation.Expectation(normal, m), notation.Variance(p, x))
    yield from (notation.Divergence(p, q), notation.Entropy(normal), notation.Slope(m**2, m), notation.Slope(x**2, x, 2))
    yield from (notation.Limit(m * u, u, 0), notation.Limit(m, m, sympy.oo, "-"), square.at(m + 1), between.at(u**2))
    yield from (f(m), f(m).diff(m), g(m, u).diff(m, u, 2), sympy.diff(f(g(m, u)) ** 2, m))
    yield from (plus(m, -u), times(u, m, plus(u, m)))


def written_in(derivation):
    """Every expression of a lecture's symbols, chains, lemmas and bridges, wrong forms included."""
    yield from (symbol.expression for symbol in derivation.symbols if symbol.expression is not None)
    yield from (symbol.stands_for for symbol in derivation.symbols if symbol.stands_for is not None)
    for part in derivation.parts:
        yield from part.expressions() if hasattr(part, "expressions") else ()
        yield from leaves(tuple(getattr(part, "wrong", {}).values()))
        for line in getattr(part, "lines", ()):
            yield from line.wrong.values()


def require_sound(expression):
    """Every part is rebuilt from its arguments, as SymPy's own tests ask; and the whole survives pickling."""
    for part in sympy.preorder_traversal(expression):
        assert all(isinstance(argument, sympy.Basic) for argument in part.args), part
        again = part
        if part.args:
            how = {"evaluate": False} if part.is_Add or part.is_Mul else {}  # written in an order (plus, times)
            again = part.func(*part.args, **how)
        assert again == part and hash(again) == hash(part), part
        assert type(part).__module__ != notation.__name__ or not getattr(part, "__dict__", {}), (
            f"{part} has a state outside its arguments"
        )
    copied, again = pickle.loads(pickle.dumps(expression)), rebuilt(expression)
    assert copied == again and hash(copied) == hash(again) and latex(copied) == latex(again)


def rebuilt(expression):
    """The expression with every sum and product evaluated, which pickling does, too."""
    return expression.func(*map(rebuilt, expression.args)) if expression.args else expression


def classes(of):
    return {of}.union(*map(classes, of.__subclasses__()))


def test_every_class_of_the_notation_is_sound():
    expressions = list(one_of_every_node())
    found = {type(part) for expression in expressions for part in sympy.preorder_traversal(expression)}
    of_here = {kind for kind in classes(sympy.Basic) if kind.__module__ == notation.__name__}
    assert of_here - found == {Node}
    for expression in expressions:
        require_sound(expression)


@pytest.mark.parametrize("topic", ["foundations/jensen", "latent/elbo", "diffusion/forward_process", "preference/dpo"])
def test_every_expression_of_a_lecture_is_sound(topic):
    for expression in map(sympy.sympify, written_in(derivation_of(topic))):
        if isinstance(expression, sympy.MatrixBase):
            expression = expression.as_immutable()
        require_sound(expression)
