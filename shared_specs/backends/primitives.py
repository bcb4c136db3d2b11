"""What JAX's primitives mean in NumPy: one rule a primitive, held against JAX's own in tests/test_primitives.py.

A rule takes an equation of a jaxpr and gives the function of its arrays; several results come as a list. A primitive without a
rule, or an equation for which a rule gives None, is left to JAX.
"""

import numpy as np
import scipy.special

# Elementwise, of operands of one shape and dtype.
ELEMENTWISE = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "add": np.add, "add_any": np.add, "and": np.bitwise_and,
    "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt,
    "ceil": np.ceil, "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high), "copy": np.copy,
    "cos": np.cos, "cosh": np.cosh, "eq": np.equal, "erf": scipy.special.erf,
    "erf_inv": scipy.special.erfinv, "erfc": scipy.special.erfc, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "floor": np.floor, "ge": np.greater_equal, "gt": np.greater, "is_finite": np.isfinite, "le": np.less_equal,
    "lgamma": scipy.special.gammaln, "log": np.log, "log1p": np.log1p, "logistic": scipy.special.expit, "lt": np.less,
    "max": np.maximum, "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "neg": np.negative,
    "nextafter": np.nextafter, "not": np.invert, "or": np.bitwise_or, "rem": np.fmod, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "square": np.square, "stop_gradient": lambda x: x,
    "sub": np.subtract, "tan": np.tan, "tanh": np.tanh, "xor": np.bitwise_xor,
}  # fmt: skip


def rule_of(equation):
    """The NumPy function of an equation's arrays; None where there is no rule."""
    name = equation.primitive.name
    return ELEMENTWISE[name] if name in ELEMENTWISE else RULES[name](equation) if name in RULES else None


def _shape(equation):
    return tuple(equation.outvars[0].aval.shape)


def _dtype(equation):
    return equation.outvars[0].aval.dtype


# ---------------------------------------------------------------------------------------------------- elementwise, with a choice


def _div(equation):
    if np.issubdtype(_dtype(equation), np.integer):
        # toward zero, as C has it; by floor division, which is exact where the quotient of floats is not
        return lambda x, y: np.where((x % y != 0) & ((x < 0) != (y < 0)), x // y + 1, x // y).astype(x.dtype)
    return np.divide


def _pow(equation):
    dtype = _dtype(equation)
    return lambda x, y: np.power(x, np.asarray(y, dtype))


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
    dtype = _dtype(equation)
    return (lambda x: np.not_equal(x, 0)) if dtype == np.bool_ else lambda x: np.asarray(x).astype(dtype)


def _select_n(equation):
    if len(equation.invars) == 3:
        return lambda which, first, second: np.where(which, second, first)
    return lambda which, *cases: np.choose(which, cases)


# ---------------------------------------------------------------------------------------------------- shapes


def _broadcast_in_dim(equation):
    shape, size = _shape(equation), dict(zip(equation.params["broadcast_dimensions"], equation.invars[0].aval.shape, strict=True))
    spread = [size.get(axis, 1) for axis in range(len(shape))]
    return lambda x: np.broadcast_to(np.reshape(x, spread), shape)


def _reshape(equation):
    shape = _shape(equation)
    return lambda x: np.reshape(x, shape)


def _tile(equation):
    return lambda x: np.tile(x, equation.params["reps"])


def _transpose(equation):
    return lambda x: np.transpose(x, equation.params["permutation"])


def _rev(equation):
    return lambda x: np.flip(x, equation.params["dimensions"])


def _iota(equation):
    axis, shape = equation.params["dimension"], _shape(equation)
    along = np.arange(shape[axis]).astype(_dtype(equation)).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return lambda: np.broadcast_to(along, shape)


def _concatenate(equation):
    return lambda *parts: np.concatenate(parts, equation.params["dimension"])


def _stack(equation):
    return lambda *parts: np.stack(parts, equation.params["axis"])


def _unstack(equation):
    return lambda x: list(np.moveaxis(x, equation.params["axis"], 0))


def _split(equation):
    ends, axis = np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"]
    return lambda x: np.split(x, ends, axis)


def _slice(equation):
    starts, limits, strides = (equation.params[name] for name in ("start_indices", "limit_indices", "strides"))
    window = tuple(map(slice, starts, limits, strides or [1] * len(starts)))
    return lambda x: x[window]


def _pad(equation):
    shape, source, target = _shape(equation), [], []
    for (low, _, between), size, out in zip(equation.params["padding_config"], equation.invars[0].aval.shape, shape, strict=True):
        step = between + 1
        kept = [i for i in range(size) if 0 <= low + i * step < out]  # negative padding cuts
        source.append(slice(kept[0], kept[-1] + 1) if kept else slice(0, 0))
        target.append(slice(low + kept[0] * step, low + kept[-1] * step + 1, step) if kept else slice(0, 0))

    def pad(x, value):
        padded = np.full(shape, value, dtype=x.dtype)
        padded[tuple(target)] = x[tuple(source)]
        return padded

    return pad


def _start(starts, shape, sizes):
    """Where a window begins: moved inside, as XLA does."""
    return [min(max(int(start), 0), n - size) for start, n, size in zip(starts, shape, sizes, strict=True)]


def _dynamic_slice(equation):
    sizes = equation.params["slice_sizes"]

    def dynamic_slice(x, *starts):
        return x[tuple(slice(i, i + size) for i, size in zip(_start(starts, x.shape, sizes), sizes, strict=True))]

    return dynamic_slice


def _dynamic_update_slice(equation):
    def dynamic_update_slice(x, update, *starts):
        changed = np.array(x)
        begin = _start(starts, x.shape, update.shape)
        changed[tuple(slice(i, i + size) for i, size in zip(begin, update.shape, strict=True))] = update
        return changed

    return dynamic_update_slice


# ---------------------------------------------------------------------------------------------------- along an axis


def _reduction(ufunc, start=None):
    """start: of dtype -> the value of an empty reduction, where the ufunc has none of its own."""

    def rule(equation):
        axes, dtype = tuple(equation.params["axes"]), _dtype(equation)
        empty = {} if start is None else {"initial": start(dtype)}
        return lambda x: ufunc.reduce(x, axis=axes, dtype=dtype, **empty)

    return rule


def _lowest(dtype):
    return False if dtype == np.bool_ else -np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).min


def _highest(dtype):
    return True if dtype == np.bool_ else np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max


_reduce_sum, _reduce_prod = _reduction(np.add), _reduction(np.multiply)
_reduce_and, _reduce_or = _reduction(np.logical_and), _reduction(np.logical_or)
_reduce_max, _reduce_min = _reduction(np.maximum, _lowest), _reduction(np.minimum, _highest)


def _cumulation(ufunc):
    def rule(equation):
        axis, reverse, dtype = equation.params["axis"], equation.params["reverse"], _dtype(equation)
        if reverse:
            return lambda x: np.flip(ufunc.accumulate(np.flip(x, axis), axis=axis, dtype=dtype), axis)
        return lambda x: ufunc.accumulate(x, axis=axis, dtype=dtype)

    return rule


_cumsum, _cumprod, _cumlogsumexp = _cumulation(np.add), _cumulation(np.multiply), _cumulation(np.logaddexp)
_cummax, _cummin = _cumulation(np.maximum), _cumulation(np.minimum)


def _argmax(equation):
    (axis,), dtype = equation.params["axes"], _dtype(equation)
    return lambda x: np.argmax(x, axis=axis).astype(dtype)


def _argmin(equation):
    (axis,), dtype = equation.params["axes"], _dtype(equation)
    return lambda x: np.argmin(x, axis=axis).astype(dtype)


def _sort(equation):
    axis, keys = equation.params["dimension"], equation.params["num_keys"]

    def sort(*arrays):
        order = np.lexsort(arrays[keys - 1 :: -1], axis=axis)
        return [np.take_along_axis(array, order, axis) for array in arrays]

    return sort


def _top_k(equation):
    axis, dtype = equation.params["axis"], equation.outvars[1].aval.dtype
    first = [slice(None)] * equation.invars[0].aval.ndim
    first[axis] = slice(equation.params["k"])

    def top_k(x):
        # the stable order of the reversed array, reversed: the largest first, and of equal ones the earliest
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
        order = order[tuple(first)]
        return [np.take_along_axis(x, order, axis), order.astype(dtype)]

    return top_k


# ---------------------------------------------------------------------------------------------------- products, gathers, scatters


def _dot_general(equation):
    (left_sum, right_sum), (left_batch, right_batch) = equation.params["dimension_numbers"]
    left, right = (operand.aval for operand in equation.invars)
    left_free = [axis for axis in range(left.ndim) if axis not in (*left_sum, *left_batch)]
    right_free = [axis for axis in range(right.ndim) if axis not in (*right_sum, *right_batch)]
    batch = [left.shape[axis] for axis in left_batch]

    def size(aval, axes):
        return int(np.prod([aval.shape[axis] for axis in axes], dtype=int))

    rows, summed, columns = size(left, left_free), size(left, left_sum), size(right, right_free)
    shape, dtype = _shape(equation), _dtype(equation)

    def dot_general(x, y):
        x = np.reshape(np.transpose(x, (*left_batch, *left_free, *left_sum)), (*batch, rows, summed))
        y = np.reshape(np.transpose(y, (*right_batch, *right_sum, *right_free)), (*batch, summed, columns))
        return np.reshape(np.matmul(x, y, dtype=dtype), shape)

    return dot_general


def _gather(equation):
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    filled, fill, out = "FILL" in str(equation.params["mode"]), equation.params["fill_value"], equation.outvars[0].aval
    if filled and fill is None:  # as JAX has it: NaN, the lowest of the signed, the highest of the unsigned
        fill = {"f": np.nan, "i": _lowest(out.dtype)}.get(out.dtype.kind, _highest(out.dtype))
    batch_axes = [axis for axis in range(out.ndim) if axis not in numbers.offset_dims]
    into_place = np.argsort([*batch_axes, *numbers.offset_dims])
    window = _Windows(
        sizes, numbers.start_index_map, (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims),
        dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)),
    )  # fmt: skip

    def gather(x, indices):
        places, inside = window.places(x.shape, indices)
        found = x[places]
        if filled and not inside.all():
            found = np.where(inside, found, np.asarray(fill, dtype=out.dtype))
        return np.transpose(found, into_place)

    return gather


def _scattering(combine):
    """combine: the ufunc that brings an update together with what is there; None puts it in its place."""

    def rule(equation):
        numbers = equation.params["dimension_numbers"]
        operand, _, updates = (part.aval for part in equation.invars)
        single = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
        sizes = iter([updates.shape[axis] for axis in numbers.update_window_dims])
        sizes = [1 if axis in single else next(sizes) for axis in range(operand.ndim)]
        batch_axes = [axis for axis in range(updates.ndim) if axis not in numbers.update_window_dims]
        dropped = "FILL" in str(equation.params["mode"])
        window = _Windows(
            sizes, numbers.scatter_dims_to_operand_dims, single,
            dict(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True)),
        )  # fmt: skip

        def scatter(x, indices, updates):
            places, inside = window.places(x.shape, indices)
            updates = np.transpose(updates, (*batch_axes, *numbers.update_window_dims))
            inside = np.broadcast_to(inside | (not dropped), updates.shape)
            places = tuple(np.broadcast_to(place, updates.shape)[inside] for place in places)
            changed = np.array(x)
            if combine is None:
                changed[places] = updates[inside]
            else:
                combine.at(changed, places, updates[inside])
            return changed

        return scatter

    return rule


_scatter, _scatter_add, _scatter_mul = _scattering(None), _scattering(np.add), _scattering(np.multiply)
_scatter_max, _scatter_min = _scattering(np.maximum), _scattering(np.minimum)


class _Windows:
    """Which entries of an array the windows of a gather or a scatter are.

    sizes: of a window along every axis; starts: the axis of each number of an index; single: axes that a window has no axis of
    its own for; batching: axis of the array -> axis of the indices with which it runs.
    """

    def __init__(self, sizes, starts, single, batching):
        self.sizes, self.starts, self.single, self.batching = sizes, starts, single, batching

    def places(self, shape, indices):
        """Index arrays [indices..., window...], one an axis, moved inside the array; and [indices..., 1...] who was inside."""
        batch, inside = indices.shape[:-1], np.ones(indices.shape[:-1], dtype=bool)
        free = [axis for axis in range(len(shape)) if axis not in self.single]
        places = []
        for axis, (n, size) in enumerate(zip(shape, self.sizes, strict=True)):
            if axis in self.starts:
                start = indices[..., self.starts.index(axis)].astype(np.int64)
                inside &= (start >= 0) & (start <= n - size)
                start = np.clip(start, 0, n - size)
            else:
                along = self.batching.get(axis)
                start = np.zeros(batch, int) if along is None else np.indices(batch, sparse=True)[along]
            start = np.reshape(np.broadcast_to(start, batch), batch + (1,) * len(free))
            steps = np.reshape(np.arange(size), [-1 if axis == one else 1 for one in free]) if axis in free else 0
            places.append(start + steps)
        return tuple(places), np.reshape(inside, batch + (1,) * len(free))


RULES = {
    "argmax": _argmax, "argmin": _argmin, "broadcast_in_dim": _broadcast_in_dim, "concatenate": _concatenate,
    "convert_element_type": _convert_element_type, "cumlogsumexp": _cumlogsumexp, "cummax": _cummax, "cummin": _cummin,
    "cumprod": _cumprod, "cumsum": _cumsum, "div": _div, "dot_general": _dot_general, "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice, "gather": _gather, "integer_pow": _integer_pow,
    "iota": _iota, "pad": _pad, "pow": _pow, "reduce_and": _reduce_and, "reduce_max": _reduce_max, "reduce_min": _reduce_min,
    "reduce_or": _reduce_or, "reduce_prod": _reduce_prod, "reduce_sum": _reduce_sum, "reshape": _reshape, "rev": _rev,
    "round": _round, "scatter": _scatter, "scatter-add": _scatter_add, "scatter-max": _scatter_max, "scatter-min": _scatter_min,
    "scatter-mul": _scatter_mul, "select_n": _select_n, "slice": _slice, "sort": _sort, "split": _split, "squeeze": _reshape,
    "stack": _stack, "tile": _tile, "top_k": _top_k, "transpose": _transpose, "unstack": _unstack,
}  # fmt: skip
