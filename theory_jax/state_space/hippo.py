r"""HiPPO (lecture 56): a state that is the best polynomial summary of the past, all of it (LegS) or a sliding window (LegT).

The summary of a signal f are its coefficients c [B, S] in the shifted Legendre basis g_0, ..., g_(S-1) on [0, 1], where 1 is now.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values


def legs_matrices(*, order):
    r"""A_nk = -sqrt((2n+1)(2k+1)) if n > k, -(n+1) if n = k, 0 if n < k;  B_n = sqrt(2n+1):  dc/dt = (A c + B f) / t.

    c_n(t) = int_0^1 f(tx) g_n(x) dx summarizes all of the past, with g of legendre_basis.

    Raises ValueError if order < 1.  Source: Gu et al. 2020, theorem 2.
    -> [S, S], [S]
    """
    require_at_least(1, order=order)
    s = _scales(order, float)
    return -jnp.tril(jnp.outer(s, s), -1) - jnp.diag(jnp.arange(1.0, order + 1)), s


def legt_matrices(*, order, window):
    r"""A_nk = -sqrt((2n+1)(2k+1)) / window, if n < k times (-1)^(n-k);  B_n = sqrt(2n+1) / window:  dc/dt = A c + B f.

    c_n(t) = int_0^1 f(t - window + window x) g_n(x) dx summarizes the last stretch of this length, with g of legendre_basis.

    Raises ValueError if order < 1 or window is not positive.  Source: Voelker et al. 2019; Gu et al. 2020, theorem 1.
    -> [S, S], [S]
    """
    require_at_least(1, order=order)
    require_positive(window=window)
    s, n = _scales(order, float), jnp.arange(order)
    lags = n[:, None] - n
    signs = jnp.where((lags < 0) & (lags % 2 == 1), -1.0, 1.0)
    return -signs * jnp.outer(s, s) / window, s / window


def legendre_basis(points, *, order):
    r"""g_n(x) = sqrt(2n+1) P_n(2x - 1) for n < order: polynomials that are orthonormal on [0, 1], P_n those of Legendre.

    Raises ValueError if order < 1, or an entry of points is outside [0, 1].  Source: Gu et al. 2020, appendix B.1.
    [B] -> [B, S]
    """
    require_rank(1, points=points)
    require_at_least(1, order=order)
    require_values("points", points, lambda x: (x >= 0) & (x <= 1), "in [0, 1]")
    y = 2 * points - 1

    def following(pair, n):  # Bonnet's recurrence; monomials would cancel
        now, after = pair
        return (after, ((2 * n + 3) * y * after - (n + 1) * now) / (n + 2)), now

    _, polynomials = jax.lax.scan(following, (jnp.ones_like(y), y), jnp.arange(order, dtype=y.dtype))
    return polynomials.T * _scales(order, y.dtype)


def legs_step(value, coefficients, *, index):
    r"""(I - A/2k)^-1 ((I + A/2k) c + B f / k), k = index: the k-th value f goes into the memory of all k of them (bilinear rule).

    A and B are those of legs_matrices; the distance of the values cancels. index counts them from 1 on.

    Raises ValueError if index < 1, there is no coefficient, or value is not one number for each row of coefficients.
    Source: Gu et al. 2020, appendix D.
    [B], [B, S] -> [B, S]
    """
    _require_coefficients(coefficients)
    require_shape(coefficients.shape[:1], value=value)
    require_values("index", index, lambda k: k >= 1, "at least 1: it counts the values, this one included")
    order, dtype = coefficients.shape[1], coefficients.dtype

    def row(seen, entry):  # A is triangular: row n of the equation has one unknown, and of those above it a sum
        before, scale, rate = entry
        after = ((1 - rate) * before + scale / index * (value - seen / 2)) / (1 + rate)
        return seen + scale * (before + after), after

    rates = jnp.arange(1, order + 1, dtype=dtype) / (2 * index)
    return jax.lax.scan(row, jnp.zeros_like(value), (coefficients.T, _scales(order, dtype), rates))[1].T


def reconstruct(points, coefficients):
    r"""r(x) = sum_n c_n g_n(x): the signal that the coefficients remember, at points x in [0, 1]; 1 is now.

    Raises ValueError if there is no coefficient, or an entry of points is outside [0, 1].  Source: Gu et al. 2020, section 2.2.
    [T], [B, S] -> [B, T]
    """
    _require_coefficients(coefficients)
    return coefficients @ legendre_basis(points, order=coefficients.shape[1]).T


def _scales(order, dtype):
    """s_n = sqrt(2n+1) = g_n(1)."""
    return jnp.sqrt(2 * jnp.arange(order, dtype=dtype) + 1)


def _require_coefficients(coefficients):
    require_rank(2, coefficients=coefficients)
    shape = list(coefficients.shape)
    require(shape[1] > 0, f"coefficients has shape {shape}; it must be [B, S] with at least one coefficient")
