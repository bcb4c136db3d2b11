"""LegS in the coordinates of its normal part, its kernel by a transform, and the figure of the lecture on structured systems."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.state_space.discretization import bilinear
from theory_jax.state_space.hippo import legs_matrices
from theory_jax.state_space.structured import low_rank_resolvent, low_rank_vector, normal_part

ORDER, LENGTH, STEP = 16, 32, 0.1
OUTPUT = np.cos(np.arange(ORDER))
EXAMPLE = np.array([1.0, 0.0])


def in_eigenvectors(output):
    """Lambda, p, b and c of LegS with this output, in the coordinates of its normal part's eigenvectors."""
    order = len(output)
    frequencies, vectors = np.linalg.eigh(-1j * (np.asarray(normal_part(order=order)) + np.eye(order) / 2))
    turned = (
        vectors.conj().T @ np.asarray(real) for real in (low_rank_vector(order=order), legs_matrices(order=order)[1], output)
    )
    return jnp.array(-0.5 + 1j * frequencies), *map(jnp.array, turned)


def by_transform(cut=True, limit=1.0):
    """The kernel by its transform at the roots of unity; limit: how much of its value at w = -1 is taken."""
    eigenvalues, low_rank, b, c = in_eigenvectors(OUTPUT)
    dense = jnp.diag(eigenvalues) - jnp.outer(low_rank, jnp.conj(low_rank))
    moving, _ = bilinear(dense, b[:, None], step_size=STEP)
    end = c - jnp.conj(jnp.conj(c) @ jnp.linalg.matrix_power(moving, LENGTH)) if cut else c
    roots = np.exp(-2j * np.pi * np.delete(np.arange(LENGTH), LENGTH // 2) / LENGTH)
    sums = low_rank_resolvent(jnp.array(2 / STEP * (1 - roots) / (1 + roots)), eigenvalues, low_rank, b, end)
    transform = np.insert(2 / (1 + roots) * sums, LENGTH // 2, limit * STEP / 2 * (jnp.conj(end) @ b))
    return np.fft.ifft(transform).real


def left_eigenvectors(order):
    """int_0^1 x^m g_n dx for m, n < order: Gauss-Legendre quadrature of Legendre's polynomials."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    basis = np.polynomial.legendre.legvander(nodes, order - 1) * np.sqrt(2 * np.arange(order) + 1)
    return (((nodes + 1) / 2) ** np.arange(order)[:, None] * weights / 2) @ basis


def condition_of(order):
    """Of LegS's left eigenvectors of unit length, by the closed form s_n (m!)^2 / ((m-n)! (m+n+1)!) of their entries."""
    rows = [
        [
            math.sqrt(2 * n + 1) * math.factorial(m) ** 2 / math.factorial(m - n) / math.factorial(m + n + 1) if n <= m else 0.0
            for n in range(order)
        ]
        for m in range(order)
    ]
    return np.linalg.cond(np.array(rows) * np.sqrt(2 * np.arange(order) + 1)[:, None])


def spectra_and_conditions(left, right):
    """Draws the eigenvalues of LegS and of its normal part, and how parallel their eigenvectors are."""
    left.plot(-np.arange(1.0, 9), np.zeros(8), "o", label="LegS")
    left.plot(np.full(8, -0.5), np.linalg.eigvals(normal_part(order=8)).imag, "s", label="normal part")
    left.set(xlabel=r"$\mathrm{Re}\,\lambda$", ylabel=r"$\mathrm{Im}\,\lambda$")
    left.legend()
    orders = np.arange(1, 17)
    right.semilogy(orders, [condition_of(order) for order in orders], "o-", label="LegS")
    right.semilogy(orders, np.ones(16), "s-", label="normal part")
    right.set(xlabel="states $N$", ylabel="condition number", xticks=orders[::3])
    right.legend()
