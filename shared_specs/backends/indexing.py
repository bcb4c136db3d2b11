"""Products, gathers and scatters: the rules of primitives.py that say which entries of an array meet which of another."""

from collections.abc import Callable

import numpy as np
from jax.extend.core import JaxprEqn

from shared_specs.backends.points import dtype_of, moved, point_by_point, ranks, reshaped, shape_of, together


def lowest(dtype: np.dtype) -> bool | int | float:
    return False if dtype == np.bool_ else -np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).min


def highest(dtype: np.dtype) -> bool | int | float:
    return True if dtype == np.bool_ else np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max


def _start(starts, shape, sizes):
    """Start of a window, clamped like XLA's."""
    return [min(max(int(start), 0), n - size) for start, n, size in zip(starts, shape, sizes, strict=True)]


def dynamic_slice(equation: JaxprEqn) -> Callable:
    sizes, shape = equation.params["slice_sizes"], equation.invars[0].aval.shape

    def run(x, *starts):
        return x[..., *(slice(i, i + size) for i, size in zip(_start(starts, shape, sizes), sizes, strict=True))]

    return point_by_point(run, ranks(equation), slice(1, None))


def dynamic_update_slice(equation: JaxprEqn) -> Callable:
    shape, sizes = (atom.aval.shape for atom in equation.invars[:2])

    def run(x, update, *starts):
        x, update = together((x, update), (len(shape), len(shape)))
        changed = np.array(x)
        changed[..., *(slice(i, i + size) for i, size in zip(_start(starts, shape, sizes), sizes, strict=True))] = update
        return changed

    return point_by_point(run, ranks(equation), slice(2, None))


def dot_general(equation: JaxprEqn) -> Callable:
    (left_sum, right_sum), (left_batch, right_batch) = equation.params["dimension_numbers"]
    left, right = (operand.aval for operand in equation.invars)
    left_free = [axis for axis in range(left.ndim) if axis not in (*left_sum, *left_batch)]
    right_free = [axis for axis in range(right.ndim) if axis not in (*right_sum, *right_batch)]
    batch = [left.shape[axis] for axis in left_batch]

    def size(aval, axes):
        return int(np.prod([aval.shape[axis] for axis in axes], dtype=int))

    rows, summed, columns = size(left, left_free), size(left, left_sum), size(right, right_free)
    shape, dtype = shape_of(equation), dtype_of(equation)

    def run(x, y):
        x = reshaped(moved(x, (*left_batch, *left_free, *left_sum)), left.ndim, (*batch, rows, summed))
        y = reshaped(moved(y, (*right_batch, *right_sum, *right_free)), right.ndim, (*batch, summed, columns))
        return reshaped(np.matmul(x, y, dtype=dtype), len(batch) + 2, shape)

    return run


def convolution(equation: JaxprEqn) -> Callable:
    """Convolution as a matrix product: the windows of the input by the kernel, group by group."""
    given, (x_order, kernel_order, out_order) = equation.params, equation.params["dimension_numbers"]
    x_shape = [equation.invars[0].aval.shape[axis] for axis in x_order]
    kernel_shape = [equation.invars[1].aval.shape[axis] for axis in kernel_order]
    out_shape = [equation.outvars[0].aval.shape[axis] for axis in out_order]
    groups, parts = given["feature_group_count"], given["batch_group_count"]
    space, dtype = len(x_shape) - 2, dtype_of(equation)
    widths = [(size - 1) * step + 1 for size, step in zip(kernel_shape[2:], given["rhs_dilation"], strict=True)]
    stretched = [max((size - 1) * step + 1, 0) for size, step in zip(x_shape[2:], given["lhs_dilation"], strict=True)]
    places, kept, cut = [], [], []
    for size, step, (low, high) in zip(stretched, given["lhs_dilation"], given["padding"], strict=True):
        places.append(slice(max(low, 0), max(low, 0) + size, step))
        kept.append(max(low, 0) + size + max(high, 0))
        cut.append(slice(max(-low, 0), kept[-1] - max(-high, 0)))  # negative padding
    taken = [slice(None, None, step) for step in (*given["window_strides"], *given["rhs_dilation"])]
    batch, features = out_shape[0], kernel_shape[0] // (groups * parts)
    order = np.argsort(out_order).tolist()

    def run(x, kernel):
        x, kernel = moved(x, x_order), moved(kernel, kernel_order)
        padded = np.zeros((*x.shape[:-space], *kept), dtype=x.dtype)
        padded[..., *places] = x
        windows = np.lib.stride_tricks.sliding_window_view(padded[..., *cut], widths, tuple(range(-space, 0)))[..., *taken]
        # [parts, batch, groups, channels, outputs..., window...] -> [groups, parts, batch, outputs..., channels, window...]
        windows = reshaped(windows, 2 + 2 * space, (parts, batch, groups, kernel_shape[1], *out_shape[2:], *kernel_shape[2:]))
        windows = moved(windows, (2, 0, 1, *range(4, 4 + space), 3, *range(4 + space, 4 + 2 * space)))
        rows, summed = int(np.prod([batch, *out_shape[2:]])), int(np.prod(kernel_shape[1:]))
        windows = reshaped(windows, 4 + 2 * space, (groups * parts, rows, summed))
        kernel = reshaped(kernel, 2 + space, (groups * parts, features, summed))
        found = np.matmul(windows, np.swapaxes(kernel, -1, -2), dtype=dtype)
        found = reshaped(found, 3, (groups * parts, batch, *out_shape[2:], features))
        found = moved(found, (1, 0, 2 + space, *range(2, 2 + space)))
        return moved(reshaped(found, 3 + space, out_shape), order)

    return run


def gather(equation: JaxprEqn) -> Callable:
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    filled, fill, out = "FILL" in str(equation.params["mode"]), equation.params["fill_value"], equation.outvars[0].aval
    if filled and fill is None:  # as JAX has it: NaN, the lowest of the signed, the highest of the unsigned
        fill = {"f": np.nan, "i": lowest(out.dtype)}.get(out.dtype.kind, highest(out.dtype))
    batch_axes = [axis for axis in range(out.ndim) if axis not in numbers.offset_dims]
    into_place = np.argsort([*batch_axes, *numbers.offset_dims]).tolist()
    shape = equation.invars[0].aval.shape
    window = _Windows(
        sizes,
        numbers.start_index_map,
        (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims),
        dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)),
    )

    def run(x, indices):
        places, inside = window.places(shape, indices)
        found = x[..., *places]
        if filled and not inside.all():
            found = np.where(inside, found, np.asarray(fill, dtype=out.dtype))
        return moved(found, into_place)

    return point_by_point(run, ranks(equation), slice(1, None))


def scattering(combine: np.ufunc | None) -> Callable:
    """combine: the ufunc that combines an update with the present value; None replaces it."""

    def rule(equation):
        numbers = equation.params["dimension_numbers"]
        operand, _, updates = (part.aval for part in equation.invars)
        single = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
        sizes = iter([updates.shape[axis] for axis in numbers.update_window_dims])
        sizes = [1 if axis in single else next(sizes) for axis in range(operand.ndim)]
        batch_axes = [axis for axis in range(updates.ndim) if axis not in numbers.update_window_dims]
        dropped = "FILL" in str(equation.params["mode"])
        window = _Windows(
            sizes,
            numbers.scatter_dims_to_operand_dims,
            single,
            dict(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True)),
        )

        def scatter(x, indices, given):
            x, given = together((x, given), (operand.ndim, updates.ndim))
            places, inside = window.places(operand.shape, indices)
            given = moved(given, (*batch_axes, *numbers.update_window_dims))
            shape = given.shape[given.ndim - updates.ndim :]
            inside = np.broadcast_to(inside | (not dropped), shape)
            places = (..., *(np.broadcast_to(place, shape)[inside] for place in places))
            changed = np.array(x)
            if combine is None:
                changed[places] = given[..., inside]
            else:
                combine.at(changed, places, given[..., inside])
            return changed

        return point_by_point(scatter, ranks(equation), slice(1, 2))

    return rule


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
                start = np.minimum(np.maximum(start, 0), n - size)
            else:
                along = self.batching.get(axis)
                start = np.zeros(batch, int) if along is None else np.indices(batch)[along]
            start = np.reshape(start, batch + (1,) * len(free))
            steps = np.reshape(np.arange(size), [-1 if axis == one else 1 for one in free]) if axis in free else 0
            places.append(start + steps)
        return tuple(places), np.reshape(inside, batch + (1,) * len(free))
