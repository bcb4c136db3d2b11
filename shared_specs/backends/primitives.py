"""JAX's primitives in NumPy: one rule per primitive, compared with JAX's own in tests/specs/test_primitives.py.

A rule takes an equation of a jaxpr and gives the function of its arrays; several results come as a list. A primitive without a
rule is left to JAX.

An array may have a leading axis beyond those of the equation, with one entry per point; the results then have it, too, and
operands without it are the same at all points. The rules therefore count axes from the end.
"""

from collections.abc import Callable

import numpy as np
import scipy.special
from jax.extend.core import JaxprEqn

from shared_specs.backends.indexing import (
    convolution,
    dot_general,
    dynamic_slice,
    dynamic_update_slice,
    gather,
    highest,
    lowest,
    scattering,
)
from shared_specs.backends.linear_algebra import fft, lu, triangular_solve
from shared_specs.backends.points import aligned, dtype_of, moved, point_by_point, ranks, reshaped, shape_of, together

# Elementwise, of operands of one dtype, and of one shape but for scalars.
ELEMENTWISE = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "add": np.add, "add_any": np.add, "and": np.bitwise_and,
    "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt,
    "ceil": np.ceil, "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high), "copy": np.copy,
    "complex": lambda real, imaginary: real + 1j * imaginary, "cos": np.cos, "cosh": np.cosh, "eq": np.equal,
    "erf": scipy.special.erf, "erf_inv": scipy.special.erfinv, "erfc": scipy.special.erfc, "exp": np.exp, "exp2": np.exp2,
    "expm1": np.expm1, "floor": np.floor, "ge": np.greater_equal, "gt": np.greater, "imag": np.imag, "is_finite": np.isfinite,
    "le": np.less_equal, "lgamma": scipy.special.gammaln, "log": np.log, "log1p": np.log1p, "logistic": scipy.special.expit,
    "lt": np.less, "max": np.maximum, "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "neg": np.negative,
    "nextafter": np.nextafter, "not": np.invert, "or": np.bitwise_or, "real": np.real, "rem": np.fmod,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "square": np.square,
    "stop_gradient": lambda x: x, "sub": np.subtract, "tan": np.tan, "tanh": np.tanh, "xor": np.bitwise_xor,
}  # fmt: skip


def rule_of(equation: JaxprEqn) -> Callable | None:
    """The NumPy function of an equation's arrays, at one point or at many; None where there is no rule."""
    name = equation.primitive.name
    return aligned(ELEMENTWISE[name], equation) if name in ELEMENTWISE else RULES[name](equation) if name in RULES else None


# ---------------------------------------------------------------------------------------------------- elementwise, with a choice


def _div(equation):
    if np.issubdtype(dtype_of(equation), np.integer):
        # toward zero, as C has it; by floor division, which is exact where the quotient of floats is not
        toward_zero = lambda x, y: np.where((x % y != 0) & ((x < 0) != (y < 0)), x // y + 1, x // y).astype(x.dtype)  # noqa: E731
        return aligned(toward_zero, equation)
    return aligned(np.divide, equation)


def _pow(equation):
    dtype = dtype_of(equation)
    return aligned(lambda x, y: np.power(x, np.asarray(y, dtype)), equation)


def _integer_pow(equation):
    exponent = equation.params["y"]
    if exponent < 0:
        return lambda x: 1 / np.power(x, -exponent)
    return lambda x: np.power(x, exponent)


def _round(equation):
    if int(equation.params["rounding_method"]) == 1:  # half to even
        return np.rint
    return lambda x: np.copysign(np.where(np.abs(x) - np.floor(np.abs(x)) < 0.5, np.floor(np.abs(x)), np.ceil(np.abs(x))), x)


def _convert_element_type(equation):
    dtype = dtype_of(equation)
    if np.issubdtype(equation.invars[0].aval.dtype, np.complexfloating) and not np.issubdtype(dtype, np.complexfloating):
        return lambda x: np.real(x).astype(dtype)
    return (lambda x: np.not_equal(x, 0)) if dtype == np.bool_ else lambda x: np.asarray(x).astype(dtype)


def _select_n(equation):
    if len(equation.invars) == 3:
        return aligned(lambda which, first, second: np.where(which, second, first), equation)
    return aligned(lambda which, *cases: np.choose(which, cases), equation)


# ---------------------------------------------------------------------------------------------------- shapes


def _broadcast_in_dim(equation):
    shape, given = shape_of(equation), equation.invars[0].aval.shape
    size = dict(zip(equation.params["broadcast_dimensions"], given, strict=True))
    spread = [size.get(axis, 1) for axis in range(len(shape))]
    (rank,) = ranks(equation)
    if tuple(spread) == shape:  # axes of one entry are added, which costs a quarter
        return lambda x: reshaped(x, rank, shape)

    def broadcast_in_dim(x):
        x = reshaped(x, rank, spread)
        return np.broadcast_to(x, (*x.shape[: x.ndim - len(shape)], *shape))

    return broadcast_in_dim


def _reshape(equation):
    shape, (rank,), order = shape_of(equation), ranks(equation), equation.params["dimensions"]
    return lambda x: reshaped(x if order is None else moved(x, order), rank, shape)


def _squeeze(equation):
    shape, (rank,) = shape_of(equation), ranks(equation)
    return lambda x: reshaped(x, rank, shape)


def _tile(equation):
    return lambda x: np.tile(x, equation.params["reps"])


def _transpose(equation):
    return lambda x: moved(x, equation.params["permutation"])


def _rev(equation):
    axes = [axis - len(shape_of(equation)) for axis in equation.params["dimensions"]]
    return lambda x: np.flip(x, axes)


def _iota(equation):
    axis, shape = equation.params["dimension"], shape_of(equation)
    along = np.arange(shape[axis]).astype(dtype_of(equation)).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return lambda: np.broadcast_to(along, shape)


def _concatenate(equation):
    axis, of = equation.params["dimension"] - len(shape_of(equation)), ranks(equation)
    return lambda *parts: np.concatenate(together(parts, of), axis)


def _stack(equation):
    axis, of = equation.params["axis"] - len(shape_of(equation)), ranks(equation)
    return lambda *parts: np.stack(together(parts, of), axis)


def _unstack(equation):
    axis = equation.params["axis"] - ranks(equation)[0]
    return lambda x: list(np.moveaxis(x, axis, 0))


def _split(equation):
    ends, axis = np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"] - ranks(equation)[0]
    return lambda x: np.split(x, ends, axis)


def _slice(equation):
    starts, limits, strides = (equation.params[name] for name in ("start_indices", "limit_indices", "strides"))
    window = (..., *map(slice, starts, limits, strides or [1] * len(starts)))
    return lambda x: x[window]


def _pad(equation):
    shape, source, target = shape_of(equation), [], []
    for (low, _, between), size, out in zip(equation.params["padding_config"], equation.invars[0].aval.shape, shape, strict=True):
        step = between + 1
        kept = [i for i in range(size) if 0 <= low + i * step < out]  # negative padding cuts
        source.append(slice(kept[0], kept[-1] + 1) if kept else slice(0, 0))
        target.append(slice(low + kept[0] * step, low + kept[-1] * step + 1, step) if kept else slice(0, 0))

    def pad(x, value):
        padded = np.full((*x.shape[: x.ndim - len(shape)], *shape), value, dtype=x.dtype)
        padded[..., *target] = x[..., *source]
        return padded

    return point_by_point(pad, ranks(equation), slice(1, None))


# ---------------------------------------------------------------------------------------------------- along an axis


def _reduction(ufunc, start=None):
    """start: of dtype -> the value of an empty reduction, where the ufunc has none."""

    def rule(equation):
        axes, dtype = tuple(axis - ranks(equation)[0] for axis in equation.params["axes"]), dtype_of(equation)
        empty = {} if start is None else {"initial": start(dtype)}
        return lambda x: ufunc.reduce(x, axis=axes, dtype=dtype, **empty)

    return rule


_reduce_sum, _reduce_prod = _reduction(np.add), _reduction(np.multiply)
_reduce_and, _reduce_or = _reduction(np.logical_and), _reduction(np.logical_or)
_reduce_max, _reduce_min = _reduction(np.maximum, lowest), _reduction(np.minimum, highest)


def _cumulation(ufunc):
    def rule(equation):
        axis, reverse, dtype = equation.params["axis"] - ranks(equation)[0], equation.params["reverse"], dtype_of(equation)
        if reverse:
            return lambda x: np.flip(ufunc.accumulate(np.flip(x, axis), axis=axis, dtype=dtype), axis)
        return lambda x: ufunc.accumulate(x, axis=axis, dtype=dtype)

    return rule


_cumsum, _cumprod, _cumlogsumexp = _cumulation(np.add), _cumulation(np.multiply), _cumulation(np.logaddexp)
_cummax, _cummin = _cumulation(np.maximum), _cumulation(np.minimum)


def _argmax(equation):
    (axis,), (rank,), dtype = equation.params["axes"], ranks(equation), dtype_of(equation)
    return lambda x: np.argmax(x, axis=axis - rank).astype(dtype)


def _argmin(equation):
    (axis,), (rank,), dtype = equation.params["axes"], ranks(equation), dtype_of(equation)
    return lambda x: np.argmin(x, axis=axis - rank).astype(dtype)


def _sort(equation):
    of = ranks(equation)
    axis, keys = equation.params["dimension"] - of[0], equation.params["num_keys"]

    def sort(*arrays):
        arrays = together(arrays, of)
        order = np.lexsort(arrays[keys - 1 :: -1], axis=axis)
        return [np.take_along_axis(array, order, axis) for array in arrays]

    return sort


def _top_k(equation):
    axis, dtype = equation.params["axis"] - ranks(equation)[0], equation.outvars[1].aval.dtype
    first = (..., slice(equation.params["k"]), *[slice(None)] * (-1 - axis))

    def top_k(x):
        # the stable order of the reversed array, reversed: the largest first, and of equal ones the earliest
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
        order = order[first]
        return [np.take_along_axis(x, order, axis), order.astype(dtype)]

    return top_k


RULES = {
    "argmax": _argmax, "argmin": _argmin, "broadcast_in_dim": _broadcast_in_dim, "concatenate": _concatenate,
    "conv_general_dilated": convolution, "convert_element_type": _convert_element_type,
    "cumlogsumexp": _cumlogsumexp, "cummax": _cummax, "cummin": _cummin,
    "cumprod": _cumprod, "cumsum": _cumsum, "div": _div, "dot_general": dot_general, "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice, "fft": fft, "gather": gather, "integer_pow": _integer_pow,
    "iota": _iota, "lu": lu, "pad": _pad, "pow": _pow,
    "reduce_and": _reduce_and, "reduce_max": _reduce_max, "reduce_min": _reduce_min, "reduce_or": _reduce_or,
    "reduce_prod": _reduce_prod, "reduce_sum": _reduce_sum, "reshape": _reshape, "rev": _rev, "round": _round,
    "scatter": scattering(None), "scatter-add": scattering(np.add),
    "scatter-max": scattering(np.maximum), "scatter-min": scattering(np.minimum), "scatter-mul": scattering(np.multiply),
    "conj": lambda equation: lambda x: np.conj(x).astype(dtype_of(equation)),
    "select_n": _select_n, "slice": _slice, "sort": _sort, "split": _split, "squeeze": _squeeze,
    "stack": _stack, "tile": _tile, "top_k": _top_k, "transpose": _transpose,
    "triangular_solve": triangular_solve, "unstack": _unstack,
}  # fmt: skip

# Primitives that move, choose, compare or count: their results are among their operands, or exact in every precision. All others
# round, those without a rule included.
EXACT = {
    "abs", "and", "argmax", "argmin", "broadcast_in_dim", "ceil", "clamp", "complex", "concatenate", "conj",
    "convert_element_type", "copy", "cummax", "cummin", "dynamic_slice", "dynamic_update_slice", "eq", "floor", "gather", "ge",
    "gt", "imag", "iota", "is_finite", "le", "lt", "max", "min", "ne", "neg", "nextafter", "not", "or", "pad", "real",
    "reduce_and", "reduce_max", "reduce_min", "reduce_or", "rem", "reshape", "rev", "round", "scatter", "scatter-max",
    "scatter-min", "select_n", "sign", "slice", "sort", "split", "squeeze", "stack", "stop_gradient", "tile", "top_k",
    "transpose", "unstack", "xor",
}  # fmt: skip
# Primitives that add up many terms: every partial sum is rounded.
SUMS = {
    "conv_general_dilated",
    "cumlogsumexp",
    "cumsum",
    "dot_general",
    "fft",
    "lu",
    "reduce_sum",
    "scatter-add",
    "triangular_solve",
}
