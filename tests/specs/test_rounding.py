"""For tolerances every operation of the reference rounds at random; operations exact in every precision do not."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from shared_specs.backends import jax_backend  # noqa: F401 - true float64
from shared_specs.backends.jaxpr import evaluator
from shared_specs.backends.rounding import Rounding
from shared_specs.checking.check import Checker
from shared_specs.checking.reference import Traced
from shared_specs.checking.tolerance import neighbors, unit_roundoff
from shared_specs.rows import Agree, Anchor, Law, given, normal

SHARE = 2.0**-30
X = np.random.default_rng(0).standard_normal((3, 4))
ONE = np.array(1.0)


def changes(function, *arrays, shares=(SHARE,) * 16):
    """Relative change of the function's result under rounding of its operations; [points, ...]."""
    run = evaluator(jax.jit(function).trace(*arrays))
    exactly = run(*arrays)
    return run(*arrays, rounding=Rounding(shares)) / exactly - 1


def test_every_entry_moves_by_the_share_up_or_down_at_random():
    found = changes(lambda x: x * np.pi, X)
    assert found.shape == (16, 3, 4)
    np.testing.assert_allclose(np.abs(found), SHARE, rtol=1e-5)
    assert 60 < (found > 0).sum() < 132  # of 192; 3 standard deviations are 21


def test_at_every_point_by_its_own_share():
    found = changes(lambda x: x * np.pi, X, shares=(0.0, SHARE, 2 * SHARE))
    np.testing.assert_allclose(np.abs(found), np.reshape([0.0, SHARE, 2 * SHARE], (3, 1, 1)) * np.ones((3, 3, 4)), rtol=1e-5)


def test_at_one_point():
    (found,) = changes(lambda x: jnp.stack([x * np.pi]), ONE, shares=SHARE)
    assert abs(found) == pytest.approx(SHARE, rel=1e-5)


def test_the_parts_of_a_complex_product_move_by_a_share_of_its_absolute_value():
    run = evaluator(jax.jit(lambda x: lax.complex(x, x) * lax.complex(x, 1e-9 * x)).trace(ONE))
    change = run(ONE, rounding=Rounding((SHARE,) * 16)) - run(ONE)
    for part in (change.real, change.imag):
        np.testing.assert_allclose(np.abs(part), np.sqrt(2) * SHARE, rtol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.where(x > 0, 1.0, 0.5) * 2,
        lambda x: (x > 0).sum() / 4,
        lambda x: jnp.sort(-x[::-1], axis=0),
        lambda x: jnp.log(x / x) + jnp.inf,
    ],
    ids=["halves", "counts", "what only moves", "infinities"],
)
def test_what_is_exact_stays(function):
    run = evaluator(jax.jit(function).trace(X))
    moved = run(X, rounding=Rounding((SHARE,) * 16))
    np.testing.assert_array_equal(moved, np.broadcast_to(run(X), moved.shape))


INSIDE = {
    "scan": lambda x: lax.scan(lambda c, _: (c * np.pi, None), x, length=3)[0],
    "while": lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * np.pi), (0, x))[1],
    "while, of turns that differ": lambda x: lax.while_loop(lambda x: x < np.pi**3 * x / x, lambda x: x * np.pi, x),
    "cond": lambda x: lax.cond(x > 0, lambda x: x * np.pi, jnp.cos, x),
    "cond, of branches that differ": lambda x: lax.cond(x * np.pi > np.pi, lambda x: x * np.pi, lambda x: x * np.e, x),
    "a solver": lambda x: jnp.linalg.solve(x[None, None] * np.pi, jnp.ones((1, 1)))[0, 0],
    "a call": lambda x: jax.nn.silu(x),
    "constants": lambda x: x * jnp.exp(jnp.arange(1, 2) / 3.0)[0],
    "a primitive without a rule": lambda x: jnp.linalg.cholesky(x[None, None] * np.pi)[0, 0],
}


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_inside_rounds(name):
    found = changes(INSIDE[name], ONE)
    assert found.shape == (16,) and len(set(found)) > 1
    assert SHARE / 2 < np.abs(found).max() < 12 * SHARE or "differ" in name


def test_the_terms_of_a_sum_are_rounded_one_by_one():
    """Moving the input cannot tell: it moves all terms together."""
    run = evaluator(jax.jit(lambda x: jnp.sum(jnp.stack([x, -x]))).trace(ONE * np.pi))
    assert run(np.full(16, np.pi)).tolist() == [0.0] * 16
    assert np.abs(run(ONE * np.pi, rounding=Rounding((SHARE,) * 16))).max() == pytest.approx(2 * np.pi * SHARE)


def test_what_is_computed_from_frozen_arguments_alone_stays():
    """The others move by one and a half unit roundoffs of the precision."""
    reference = Traced(lambda _: lambda x, y: (x * np.pi, x * np.pi * y, jnp.exp(y / 3)))
    for frozen, moving in (((), {0, 1, 2}), (("x",), {1, 2}), (("y",), {0, 1}), (("x", "y"), set())):
        points = neighbors({"x": X, "y": X[::-1] - 0.1}, "float32", frozen)
        found = reference.call_at("f", points)
        assert {i for i, result in enumerate(found) if np.any(result != result[0])} == moving
        assert set(points.shares) == {1.5 * unit_roundoff("float32")}


class Reference:
    """Differences of terms that are equal."""

    @staticmethod
    def difference(x):
        return jnp.exp(x) - jnp.exp(x) * jnp.cos(0.0 * x)

    @staticmethod
    def of_numbers(*, rate):
        return jnp.exp(rate * jnp.ones(1)) - jnp.exp(rate) * jnp.ones(1)


class Rounded:
    """The same, off by one unit roundoff of the terms."""

    @staticmethod
    def difference(x):
        return jnp.exp(x) * 2.0**-53

    @staticmethod
    def of_numbers(*, rate):
        return jnp.exp(rate) * jnp.full(1, 2.0**-53)


@pytest.mark.parametrize(
    "row",
    [
        Agree("difference", "terms that cancel", given(x=normal(3))),
        Anchor("difference", "terms that cancel", given(x=[1.0]), gives=[0.0], source=""),
        Anchor("of_numbers", "no arrays", given(rate=0.3), gives=[0.0], source=""),
        Law.equal("zero", given(x=normal(3)), left=lambda f, x: f.difference(x), right=0.0),
        Law.equal("slope", given(x=normal(3)), left=lambda f, x: f.gradient("difference", x), right=0.0),
    ],
    ids=["agree", "anchor", "numbers alone", "law", "law of a gradient"],
)
def test_terms_that_cancel_widen_the_tolerance(row):
    """In rows of every kind; not with frozen arguments, nor where the function is not traced."""

    def worst(row):
        reference, implementation = (Traced(lambda name, of=of: getattr(of, name)) for of in (Reference, Rounded))
        return max(r.ratio for r in Checker("toy/topic", implementation, reference, spec=()).run([row]))

    assert worst(row) < 1
    assert worst(replace(row, traced=False)) > 1
    if "x" in row.given.arguments:
        assert worst(replace(row, frozen=("x",))) > 1
