"""Within by_numpy, JAX gives what it gives compiled, compiles nothing, and is afterwards as it was.

If one of these tests fails after JAX has been upgraded, shared_specs/backends/jax_eager.py no longer fits it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from shared_specs.backends.jax_eager import MOST, PRIMITIVES, WITHOUT_RULE, by_numpy
from shared_specs.backends.primitives import ELEMENTWISE, RULES

X = np.random.default_rng(0).standard_normal((3, 4))


@jax.custom_jvp
def _clipped(x):
    return jnp.clip(x, -1, 1)


_clipped.defjvp(lambda x, dx: (_clipped(*x), *dx))


@jax.custom_vjp
def _doubled(x):
    return jnp.add(x, x)


_doubled.defvjp(lambda x: (_doubled(x), None), lambda _, g: (2 * g,))


def _turn(carry, x):
    return carry * 0.5 + x, carry.sum()


COMPUTED = {
    "operators": lambda: (jnp.asarray(X) @ X.T - X[0, 0]) / jnp.arange(1, 4),
    "a weak type": lambda: (jnp.sin(2.0), jnp.ones(3, jnp.float32) * jnp.sin(2.0), jnp.full(2, 1)),
    "indices": lambda: jnp.asarray(X).at[jnp.array([0, 2])].set(jnp.stack([X[1], X[1]])),
    "jit": lambda: jax.jit(lambda x: jnp.where(x > 0, x, 0.0).sum(axis=0))(X),
    "gradient": lambda: jax.grad(lambda x: jax.nn.logsumexp(jnp.sin(x) ** 2))(X),
    "Hessian": lambda: jax.hessian(lambda x: jnp.prod(jnp.cos(x)))(X[0]),
    "Jacobian": lambda: jax.jacfwd(lambda x: jnp.cumsum(jnp.exp(x)))(X[0]),
    "vmap": lambda: jax.vmap(jax.grad(lambda x: jnp.max(x) * jnp.mean(x)))(X),
    "own derivative": lambda: (_clipped(X), jax.grad(lambda x: _clipped(3 * x).sum())(X)),
    "own pull-back": lambda: (_doubled(X), jax.grad(lambda x: _doubled(x).sum())(X)),
    "checkpoint": lambda: jax.grad(lambda x: jax.checkpoint(jnp.tanh)(x).sum())(X),
    "scan": lambda: lax.scan(_turn, jnp.zeros(4), X, reverse=True),
    "scan of nothing": lambda: lax.scan(_turn, jnp.zeros(4), X[:0]),
    "while": lambda: lax.while_loop(lambda x: x.sum() < 100.0, lambda x: x * 3, jnp.abs(X)),
    "cond": lambda: [lax.cond(x > 0, jnp.sin, jnp.cos, x) for x in (0.5, -0.5)],
    "complex numbers": lambda: jnp.abs(jnp.asarray(X) + 1j * X[::-1]),
}
COMPILED = {
    "random numbers": lambda: jax.random.normal(jax.random.split(jax.random.key(0))[1], (5,), dtype=float),
    "random numbers in vmap": lambda: jax.vmap(lambda key: jax.random.uniform(key, (2,)))(jax.random.split(jax.random.key(1), 3)),
    "a primitive without a rule": lambda: jnp.linalg.cholesky(X @ X.T),
    "a long loop": lambda: lax.fori_loop(0, MOST, lambda i, x: x * 0.999 + i, 0.0),
}


def compiled(function, caplog):
    """function's result, and whether XLA compiled anything for it."""
    caplog.clear()
    jax.clear_caches()
    with jax.log_compiles():
        result = function()
    return result, any("Compiling" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", COMPUTED | COMPILED)
def test_by_numpy_is_what_jax_computes(name, caplog):
    function = (COMPUTED | COMPILED)[name]
    with by_numpy():
        found, by_xla = compiled(function, caplog)
    assert by_xla == (name in COMPILED)
    wanted, by_xla = compiled(function, caplog)
    assert by_xla, "what ran within by_numpy runs so still"
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for f, w in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert isinstance(f, jax.Array) and f.aval == w.aval, "another shape, dtype or weak type"
        np.testing.assert_allclose(f, w, rtol=0 if "random" in name else 1e-14, atol=0 if "random" in name else 1e-14)


@pytest.mark.filterwarnings("error")
def test_division_by_zero_is_no_warning():
    with by_numpy():
        assert jax.jit(lambda: jnp.zeros(2) / jnp.zeros(2))().shape == (2,)
        assert (1 / jnp.zeros(2)).tolist() == [jnp.inf] * 2


def test_side_effects_happen_at_every_call(capsys):
    shout = jax.jit(lambda x: jax.debug.print("here is {}", 3))
    with by_numpy():
        shout(1)
        shout(2)
    assert capsys.readouterr().out == "here is 3\n" * 2


def test_an_exception_leaves_jax_as_it_was(caplog):
    before = {primitive: primitive.impl for primitive in PRIMITIVES}
    with pytest.raises(KeyboardInterrupt), by_numpy():
        assert not any(primitive.impl is implementation for primitive, implementation in before.items())
        raise KeyboardInterrupt
    assert {primitive: primitive.impl for primitive in PRIMITIVES} == before
    assert compiled(lambda: jnp.sin(X), caplog)[1]


def test_every_rule_is_used():
    """A primitive that JAX moved or renamed would be compiled again, and no one would notice but by the time it takes."""
    assert {primitive.name for primitive in PRIMITIVES} == WITHOUT_RULE | ELEMENTWISE.keys() | RULES.keys()
