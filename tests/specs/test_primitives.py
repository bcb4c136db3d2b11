"""Every primitive that NumPy runs in JAX's place gives what JAX gives: alone, batched and at many points, in both precisions."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from shared_specs.backends import (
    jax_backend,  # noqa: F401 - true float64
    jaxpr,
)
from shared_specs.backends.jaxpr import evaluator
from shared_specs.backends.primitives import ELEMENTWISE, EXACT, RULES, SUMS, rule_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))
POSITIVE = np.exp(RNG.standard_normal((3, 4)))
UNIT = RNG.uniform(-0.95, 0.95, (3, 4))
INTEGERS = RNG.integers(-20, 20, (3, 4))
BITS = RNG.uniform(size=(3, 4)) < 0.5
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300, 2.5, -2.5, 3.5, 0.49999999999999994])
TIES = np.array([[1.0, 2.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0], [np.nan, 1.0, np.inf, -np.inf]])
SCALAR = np.array(0.5)  # JAX leaves it without axes next to an array that has some
IMAGES, KERNEL = RNG.standard_normal((2, 4, 5, 6)), RNG.standard_normal((6, 4, 3, 2))
MATRIX, SINGULAR = X[:, :3] + 3 * np.eye(3), np.ones((3, 3))
PLACES = np.array([2, 0, 5, -1])  # the last two lie outside
SHORT = {"d": np.float32, "D": np.complex64}
# The primitives with rounded results; the others are EXACT.
ROUNDS = {
    "acos", "acosh", "add", "add_any", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "conv_general_dilated", "cos", "cosh",
    "cumlogsumexp", "cumprod", "cumsum", "div", "dot_general", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "fft",
    "integer_pow", "lgamma", "log", "log1p", "logistic", "lu", "mul", "pow", "reduce_prod", "reduce_sum", "rsqrt", "scatter-add",
    "scatter-mul", "sin", "sinh", "sqrt", "square", "sub", "tan", "tanh", "triangular_solve",
}  # fmt: skip


def _binary(name):
    return getattr(lax, {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}.get(name, name))


CASES = {
    **{name: [(getattr(lax, name), X), (getattr(lax, name), EDGES)] for name in (
        "abs", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1", "floor", "is_finite", "logistic", "neg",
        "sign", "sin", "sinh", "square", "tan", "tanh", "asinh", "atan",
    )},
    **{name: [(getattr(lax, name), POSITIVE)] for name in ("log", "log1p", "sqrt", "rsqrt", "lgamma")},
    **{name: [(getattr(lax, name), UNIT)] for name in ("acos", "asin", "atanh", "erf_inv")},
    "acosh": [(lax.acosh, 1 + POSITIVE)],
    **{name: [(getattr(lax, name), X, POSITIVE), (getattr(lax, name), TIES, TIES[::-1].copy()), (getattr(lax, name), X, SCALAR),
                (getattr(lax, name), SCALAR, X)] for name in (
        "add", "atan2", "eq", "ge", "gt", "le", "lt", "max", "min", "mul", "ne", "nextafter", "rem", "sub",
    )},
    **{name: [(_binary(name), BITS, ~BITS), (_binary(name), INTEGERS, INTEGERS[::-1].copy())] for name in ("and", "or", "xor")},
    "add_any": [(lambda x: jax.grad(lambda x: (x * x + jnp.sin(x) * x).sum())(x), X)],
    "not": [(lax.bitwise_not, BITS), (lax.bitwise_not, INTEGERS)],
    "clamp": [(lambda x, high: lax.clamp(-high, x, high), X, SCALAR)],
    "copy": [(jnp.copy, X)],
    "stop_gradient": [(lax.stop_gradient, X)],
    "div": [(lax.div, X, POSITIVE), (lax.div, INTEGERS, np.where(INTEGERS[::-1] == 0, 7, INTEGERS[::-1])),
            (lax.div, X, SCALAR), (lax.div, SCALAR, X), (lax.div, INTEGERS, np.array(7))],
    "pow": [(lax.pow, POSITIVE, X), (lax.pow, POSITIVE, SCALAR), (lax.pow, SCALAR, X),
            (lambda x, n: lax.pow(x, n), X, np.array([[2, 0, -1, 3]] * 3))],
    "integer_pow": [(lambda x: lax.integer_pow(x, 3), X), (lambda x: lax.integer_pow(x, -2), X),
                    (lambda x: lax.integer_pow(x, 2), INTEGERS)],
    "round": [(lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), EDGES),
              (lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), EDGES)],
    "convert_element_type": [(lambda x: x.astype(jnp.bfloat16).astype(x.dtype), X), (lambda x: x.astype(jnp.int32), 9 * X),
                             (lambda x: x.astype(bool), INTEGERS), (lambda x: x.astype(jnp.uint8), 5 + INTEGERS % 7),
                             (lambda x: lax.convert_element_type(lax.complex(x, -x), x.dtype), X)],
    "select_n": [(lambda b, x, y: lax.select_n(b, x, y), BITS, X, POSITIVE),
                 (lambda s, x, y: lax.select_n(s > 0, x, y), SCALAR, X, POSITIVE),
                 (lambda i, x: lax.select_n(i, x, 2 * x, 3 * x), np.abs(INTEGERS % 3).astype(np.int32), X)],
    "broadcast_in_dim": [(lambda x: lax.broadcast_in_dim(x, (2, 3, 5, 4), (1, 3)), X)],
    "reshape": [(lambda x: lax.reshape(x, (2, 6)), X), (lambda x: lax.reshape(x, (2, 6), (1, 0)), X)],
    "squeeze": [(lambda x: lax.squeeze(x, (0, 2)), X[None, :, None])],
    "transpose": [(lambda x: lax.transpose(x, (2, 0, 1)), RNG.standard_normal((2, 3, 4)))],
    "complex": [(lax.complex, X, POSITIVE)],
    "real": [(lambda x: lax.real(lax.complex(x, -x) ** 2), X)],
    "imag": [(lambda x: lax.imag(lax.complex(x, -x) ** 2), X)],
    "conj": [(lambda x: lax.conj(lax.complex(x, -x)), X), (lax.conj, X)],
    "rev": [(lambda x: lax.rev(x, (1,)), X)],
    "iota": [(lambda x: x + lax.broadcasted_iota(x.dtype, (3, 4), 1), X)],
    "concatenate": [(lambda x, y: lax.concatenate([x, y, x], 1), X, POSITIVE)],
    "stack": [(lambda x, y: jnp.stack([x, y], 1), X, POSITIVE)],
    "tile": [(lambda x: jnp.tile(x, (2, 1, 3)), X)],
    "unstack": [(lambda x: jnp.unstack(x, axis=1), X)],
    "split": [(lambda x: lax.split(x, (1, 3), 1), X)],
    "slice": [(lambda x: lax.slice(x, (1, 0), (3, 4), (1, 2)), X)],
    "pad": [(lambda x: lax.pad(x, np.asarray(9, x.dtype), ((1, -2, 2), (-1, 3, 0))), X)],
    "dynamic_slice": [(lambda x, i: lax.dynamic_slice(x, (i, i), (2, 3)), X, np.array(at)) for at in (0, 1, 9)],
    "dynamic_update_slice": [(lambda x, i: lax.dynamic_update_slice(x, -x[:2, :2], (i, i)), X, np.array(at)) for at in (0, 1, 9)],
    **{f"reduce_{name}": [(lambda x, reduce=reduce: reduce(x, axis=(0,)), array) for array in arrays]
       for name, reduce, arrays in (
           ("sum", jnp.sum, (X, INTEGERS)), ("prod", jnp.prod, (X,)), ("max", jnp.max, (X, TIES, INTEGERS)),
           ("min", jnp.min, (X, TIES, INTEGERS)), ("and", jnp.all, (BITS, BITS[:0])), ("or", jnp.any, (BITS, BITS[:0])),
       )},
    **{name: [(lambda x, name=name, way=way: getattr(lax, name)(x, axis=1, reverse=way), X) for way in (False, True)]
       for name in ("cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum")},
    "argmax": [(lambda x: lax.argmax(x, 1, np.int32), TIES)],
    "argmin": [(lambda x: lax.argmin(x, 1, np.int32), TIES)],
    "sort": [(lambda x: lax.sort(x, dimension=1), TIES), (lambda x, y: lax.sort((x, y), dimension=1, num_keys=1), TIES, X),
             (lambda x, y: lax.sort((x, y, x), dimension=0, num_keys=2), np.sign(X), POSITIVE)],
    "top_k": [(lambda x: lax.top_k(x, 3), TIES)],
    "dot_general": [  # of positive numbers: sums that cancel differ by the order in which they are added
        (jnp.matmul, POSITIVE, POSITIVE.T.copy()),
        (lambda x, y: jnp.einsum("bij,bkj->bik", x, y), RNG.uniform(1, 2, (2, 3, 4)), RNG.uniform(1, 2, (2, 5, 4))),
        (lambda x, y: jnp.einsum("ibj,kjb->bik", x, y), RNG.uniform(1, 2, (3, 2, 4)), RNG.uniform(1, 2, (5, 4, 2))),
        (jnp.matmul, INTEGERS, INTEGERS.T.copy()),
    ],
    "conv_general_dilated": [
        (lambda x, k, settings=settings: lax.conv_general_dilated(x, k, **settings), np.abs(IMAGES), np.abs(kernel))
        for kernel, settings in (
            (KERNEL, dict(window_strides=(1, 1), padding="SAME")),
            (KERNEL, dict(window_strides=(2, 1), padding=((1, 0), (2, 3)), rhs_dilation=(1, 2))),
            (KERNEL, dict(window_strides=(1, 1), padding=((2, 2), (1, -1)), lhs_dilation=(2, 3))),
            (KERNEL, dict(window_strides=(1, 1), padding=((-1, 2), (-2, -1)), lhs_dilation=(2, 3))),
            (KERNEL[:, :2], dict(window_strides=(1, 1), padding="VALID", feature_group_count=2)),
            (KERNEL, dict(window_strides=(1, 1), padding="VALID", batch_group_count=2)),
            (KERNEL.T.copy(), dict(window_strides=(1, 1), padding="SAME", dimension_numbers=("NCHW", "WHIO", "HCWN"))),
        )
    ] + [(jax.grad(lambda k, x: (lax.conv_general_dilated(x, k, (1,), ((2, 0),), rhs_dilation=(2,)) ** 2).sum(), argnums=(0, 1)),
          np.abs(KERNEL[:, :, 0]), np.abs(IMAGES[:, :, 0]))],
    "lu": [(lax.linalg.lu, X), (lax.linalg.lu, X.T.copy()), (lax.linalg.lu, MATRIX),
           (lax.linalg.lu, np.stack([MATRIX, SINGULAR])), (lambda x: lax.linalg.lu(lax.complex(x, x.T)), MATRIX),
           (lax.linalg.lu, X[:0]), (lax.linalg.lu, X[:, :0]), (lax.linalg.lu, MATRIX[:0, :0])],
    "triangular_solve": [
        (lambda a, b, given=given: lax.linalg.triangular_solve(lax.complex(a, a.T), lax.complex(b, -b), **given),
         MATRIX, MATRIX.T.copy())
        for given in ({"left_side": side, "lower": lower, "transpose_a": swap, "conjugate_a": conjugate, "unit_diagonal": unit}
                      for side, lower, swap, conjugate, unit in product((False, True), repeat=5))
    ] + [(lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True), np.stack([MATRIX] * 2), np.stack([MATRIX[:, :2]] * 2)),
         (lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True), np.diag([1.0, 0.0, 2.0]), X)],
    "custom_linear_solve": [(jnp.linalg.solve, MATRIX, X), (jnp.linalg.solve, np.stack([MATRIX, MATRIX.T]), np.stack([X, -X])),
                            (lambda a, b: jax.grad(lambda a: jnp.linalg.solve(a, b).sum())(a), MATRIX, X),
                            (lambda a, b: jax.jvp(jnp.linalg.solve, (a, b), (a.T, b))[1], MATRIX, X)],
    "fft": [(lambda x: jnp.fft.fft(x, axis=0), X), (lambda x: jnp.fft.ifft(lax.complex(x, -x)), X), (jnp.fft.rfft, X[:, :3]),
            (lambda x: jnp.fft.irfft(lax.complex(x, -x), n=5), X), (jnp.fft.fft2, X), (lambda x: jnp.fft.rfft2(x), X)],
    "gather": [
        (lambda x, i: x[i % 3], X, PLACES), (lambda x, i: x.at[i].get(mode="fill"), X, PLACES),
        (lambda x, i: x.at[i].get(mode="clip"), X, PLACES), (lambda x, i: x.at[i].get(mode="fill"), INTEGERS, PLACES),
        (lambda x, i: jnp.take_along_axis(x, i, 1), X, INTEGERS % 4), (lambda x, i: x[:, i % 4, None], X, PLACES),
        (lambda x, i: x[i % 3, (i + 1) % 4], X, PLACES),
    ],
    "scatter": [(lambda x, i: x.at[i % 3].set(x[0]), X, PLACES[:2]), (lambda x, i: x.at[i].set(7, mode="drop"), X, PLACES)],
    "scatter-add": [(lambda x, i: x.at[i % 3].add(x[1]), X, PLACES), (lambda x, i: x.at[i].add(1, mode="drop"), X, PLACES),
                    (lambda x, i: jax.grad(lambda x: jnp.take_along_axis(x, i, 1).sum())(x), X, INTEGERS % 4)],
    "scatter-mul": [(lambda x, i: x.at[i % 3, i % 4].multiply(x[1, 1]), X, PLACES)],
    "scatter-max": [(lambda x, i: x.at[:, i % 4].max(0.1), X, PLACES)],
    "scatter-min": [(lambda x, i: x.at[:, i % 4].min(0.1), X, PLACES)],
    "scan": [(lambda x: lax.scan(lambda c, row: (c * 0.5 + row, (c, row.sum())), x[0], x), X),
             (lambda x: lax.scan(lambda c, row: (c * 0.5 + row, c), x[0], x, reverse=True), X)],
    "while": [(lambda x: lax.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * 1.5), (0, x))[1], X)],
    "cond": [(lambda i, x: lax.cond(i > 0, jnp.sin, jnp.cos, x), np.array(i), X) for i in (0, 1)],
    "custom_jvp_call": [(jax.nn.relu, X)],
    "custom_vjp_call": [(lambda x: _with_vjp(x), X)],
    "remat2": [(lambda x: jax.checkpoint(jnp.sin)(x), X)],
}  # fmt: skip


@jax.custom_vjp
def _with_vjp(x):
    return jnp.sin(x)


_with_vjp.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))


def primitives(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


def same(got, wanted, cancels=False):
    """cancels: what is compared is sums of numbers of order one, as exact as those."""
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        w = np.asarray(w)
        assert g.dtype == w.dtype and g.shape == w.shape
        if w.dtype.kind in "fc":
            digits = np.finfo(w.dtype)
            np.testing.assert_allclose(g, w, rtol=64 * digits.eps, atol=64 * (digits.eps if cancels else digits.tiny))
        else:
            np.testing.assert_array_equal(g, w)


def by_numpy(function):
    return lambda *arrays: evaluator(jax.jit(function).trace(*arrays))(*arrays)


def both(function, arrays, many):
    """The function alone and batched."""
    return function(*arrays), jax.vmap(function)(*many)


def repeated(got, one):
    """The results at three points, also of those that are the same at all."""
    return jax.tree.map(lambda g, o: np.broadcast_to(g, (3, *o.shape)) if g.ndim == o.ndim else g, got, one)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_primitive_gives_what_jax_gives(name, precision, monkeypatch):
    monkeypatch.setattr(jaxpr, "_by_jax", lambda equation: pytest.fail(f"{equation.primitive} has no rule"))
    cancels = name in ("custom_linear_solve", "fft", "lu", "triangular_solve")
    functions = [function for function, *_ in CASES[name]]
    given = [[a.astype(precision) if a.dtype.kind == "f" else a for a in arrays] for _, *arrays in CASES[name]]
    stacked = [[np.stack([a, np.roll(a, 1), a]) for a in arrays] for arrays in given]
    # One program for all cases: compiling is nearly all of the work.
    compiled = jax.jit(lambda points, many: list(map(both, functions, points, many)))
    at_points = [evaluator(jax.jit(function).trace(*arrays)) for function, arrays in zip(functions, given, strict=True)]
    results = compiled(given, stacked)
    for function, arrays, many, run, (alone, batched) in zip(functions, given, stacked, at_points, results, strict=True):
        assert name in set(primitives(jax.make_jaxpr(function)(*arrays).jaxpr))
        same(run(*arrays), alone, cancels)
        same(by_numpy(jax.vmap(function))(*many), batched, cancels)
    for differing in product((False, True), repeat=max(map(len, given))):  # a function of fewer arrays reads the first ones

        def moved(which, differing=differing):
            """The arrays of every case, those that differ as `which` has them."""
            pairs = [zip(arrays, many, differing, strict=False) for arrays, many in zip(given, stacked, strict=True)]
            return [[which(m) if d else a for a, m, d in pair] for pair in pairs]

        wanted = [[one for one, _ in compiled(moved(lambda m, i=i: m[i]), stacked)] for i in range(3)]
        for run, arrays, *three in zip(at_points, moved(lambda m: m), *wanted, strict=True):
            same(repeated(run(*arrays), three[0]), jax.tree.map(lambda *parts: np.stack(parts), *three), cancels)


def test_every_rule_has_a_case():
    assert sorted((ELEMENTWISE.keys() | RULES.keys()) - CASES.keys()) == []


def test_every_rule_is_exact_or_rounds():
    assert not ROUNDS & EXACT
    assert ELEMENTWISE.keys() | RULES.keys() == ROUNDS | EXACT
    assert SUMS <= ROUNDS


# nextafter is exact too, and gives the next float64
@pytest.mark.parametrize("name", sorted((ELEMENTWISE.keys() | RULES.keys()) - {"nextafter"}))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_exact_primitives_make_float32_numbers_of_float32_numbers(name, monkeypatch):
    """The others need more than 24 bits."""
    found = []

    def of_float32(equation):
        run = rule_of(equation)

        def rounded_before(*arrays):
            results = run(*(a.astype(SHORT[a.dtype.char]).astype(a.dtype) if a.dtype.char in SHORT else a for a in arrays))
            found.extend(results if isinstance(results, list) else [results])
            return results

        return rounded_before if equation.primitive.name == name else run

    monkeypatch.setattr(jaxpr, "rule_of", of_float32)
    for function, *arrays in CASES[name]:
        by_numpy(function)(*arrays)
    exact = [np.array_equal(a, a.astype(SHORT[a.dtype.char]), equal_nan=True) for a in found if a.dtype.char in SHORT]
    assert all(exact) if name in EXACT else not all(exact)


def test_what_has_no_rule_is_run_by_jax():
    matrix = X[:, :3] @ X[:, :3].T + 9 * np.eye(3)
    same(by_numpy(jnp.linalg.cholesky)(matrix), jax.jit(jnp.linalg.cholesky)(matrix))
    assert "cholesky" not in RULES.keys() | ELEMENTWISE.keys()
