"""JAX's primitives of linear algebra and Fourier transforms in NumPy: rules as in primitives.py.

XLA calls the same LAPACK and BLAS, but compiles a program for every size of a matrix.
"""

from collections.abc import Callable

import numpy as np
import scipy.fft
from jax.extend.core import JaxprEqn
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from shared_specs.backends.points import ranks, together


def lu(_: JaxprEqn) -> Callable:
    """The factors in one matrix, the row that each row was exchanged with, and the order of the rows that this makes."""

    def factors(a):
        (*stack, rows, columns), getrf = a.shape, get_lapack_funcs("getrf", (a,))
        packed = np.empty(a.shape, a.dtype)
        exchanged, order = np.empty((*stack, min(rows, columns)), np.int32), np.empty((*stack, rows), np.int32)
        order[...] = np.arange(rows)
        for at in np.ndindex(*(stack if a.size else [0])):
            packed[at], exchanged[at], _ = getrf(a[at])
            for row, other in enumerate(exchanged[at]):
                order[at][[row, other]] = order[at][[other, row]]
        return [packed, exchanged, order]

    return factors


def triangular_solve(equation: JaxprEqn) -> Callable:
    given, of = equation.params, ranks(equation)
    settings = {"side": not given["left_side"], "lower": given["lower"], "diag": given["unit_diagonal"]}
    settings["trans_a"] = 0 if not given["transpose_a"] else 2 if given["conjugate_a"] else 1

    def solve(*arrays):
        a, b = together(arrays, of)
        if given["conjugate_a"] and not given["transpose_a"]:
            a = np.conj(a)
        trsm, x = get_blas_funcs("trsm", (a, b)), np.empty(b.shape, b.dtype)
        for at in np.ndindex(b.shape[:-2] if b.size else 0):
            x[at] = trsm(1, a[at], b[at], **settings)
        return x

    return solve


def fft(equation: JaxprEqn) -> Callable:
    transform = (scipy.fft.fftn, scipy.fft.ifftn, scipy.fft.rfftn, scipy.fft.irfftn)[int(equation.params["fft_type"])]
    lengths = equation.params["fft_lengths"]
    axes = range(-len(lengths), 0)
    return lambda x: transform(x, lengths, axes)
