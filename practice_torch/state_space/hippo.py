r"""HiPPO: a signal's past as coefficients in the shifted Legendre basis, all of it (LegS) or a sliding window (LegT).

What is made from numbers alone is computed in float64 and returned in torch's default dtype.
"""

import torch

from practice_torch.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values


def legs_matrices(*, order):
    r"""A_nk = -sqrt((2n+1)(2k+1)) if n > k, -(n+1) if n = k, 0 if n < k;  B_n = sqrt(2n+1):  dc/dt = (A c + B f) / t.

    c_n(t) = int_0^1 f(tx) g_n(x) dx summarizes all of the past, with g of legendre_basis.

    Raises ValueError if order < 1.  Source: Gu et al. 2020, theorem 2.
    -> [S, S], [S]
    """
    require_at_least(1, order=order)
    return tuple(part.to(torch.get_default_dtype()) for part in _legs(order))


def legt_matrices(*, order, window):
    r"""A_nk = -sqrt((2n+1)(2k+1)) / window, if n < k times (-1)^(n-k);  B_n = sqrt(2n+1) / window:  dc/dt = A c + B f.

    c_n(t) = int_0^1 f(t - window + window x) g_n(x) dx summarizes the last stretch of this length, with g of legendre_basis.

    Raises ValueError if order < 1 or window is not positive.  Source: Voelker et al. 2019; Gu et al. 2020, theorem 1.
    -> [S, S], [S]
    """
    require_at_least(1, order=order)
    require_positive(window=window)
    now = _at_now(order)
    first = now.clone()
    first[1::2] *= -1  # g_n(0): the oldest value of the window
    a = -(torch.outer(now, now).tril() + torch.outer(first, first).triu(1)) / window
    return a.to(torch.get_default_dtype()), (now / window).to(torch.get_default_dtype())


def legendre_basis(points, *, order):
    r"""g_n(x) = sqrt(2n+1) P_n(2x - 1) for n < order: polynomials that are orthonormal on [0, 1], P_n those of Legendre.

    Raises ValueError if order < 1, or an entry of points is outside [0, 1].  Source: Gu et al. 2020, appendix B.1.
    [B] -> [B, S]
    """
    require_rank(1, points=points)
    require_at_least(1, order=order)
    require_values("points", points, lambda x: (x >= 0) & (x <= 1), "in [0, 1]")
    y = 2 * points - 1
    polynomials = [torch.ones_like(y), y]
    for n in range(1, order - 1):  # Bonnet's recurrence: in powers of x, order 20 would lose all digits
        polynomials.append(((2 * n + 1) * y * polynomials[n] - n * polynomials[n - 1]) / (n + 1))
    return torch.stack(polynomials[:order], 1) * _at_now(order).to(y)


def legs_step(value, coefficients, *, index):
    r"""(I - A/2k)^-1 ((I + A/2k) c + B f / k), k = index: the k-th value f goes into the memory of all k of them (bilinear rule).

    A and B are those of legs_matrices; the distance of the values cancels. index counts them from 1 on.

    Raises ValueError if index < 1, there is no coefficient, or value is not one number for each row of coefficients.
    Source: Gu et al. 2020, appendix D.
    [B], [B, S] -> [B, S]
    """
    _require_coefficients(coefficients)
    require_shape(coefficients.shape[:1], value=value)
    require_at_least(1, index=index)
    a, b = (part.to(coefficients) for part in _legs(coefficients.shape[1]))
    half = a.mT / (2 * index)
    known = torch.addmm(coefficients, coefficients, half) + value.unsqueeze(1) * (b / index)
    return torch.linalg.solve_triangular(torch.eye(len(b)).to(half) - half, known, upper=True, left=False)


def reconstruct(points, coefficients):
    r"""r(x) = sum_n c_n g_n(x): the signal that the coefficients remember, at points x in [0, 1]; 1 is now.

    Raises ValueError if there is no coefficient, or an entry of points is outside [0, 1].  Source: Gu et al. 2020, section 2.2.
    [T], [B, S] -> [B, T]
    """
    _require_coefficients(coefficients)
    return coefficients @ legendre_basis(points, order=coefficients.shape[1]).mT


def _at_now(order):
    """g_n(1) = sqrt(2n+1)."""
    return torch.arange(1, 2 * order, 2, dtype=torch.float64).sqrt()


def _legs(order):
    now = _at_now(order)
    return -torch.outer(now, now).tril(-1) - torch.arange(1, order + 1, dtype=torch.float64).diag(), now


def _require_coefficients(coefficients):
    require_rank(2, coefficients=coefficients)
    shape = list(coefficients.shape)
    require(shape[1] > 0, f"coefficients has shape {shape}; it must be [B, S] with at least one coefficient")
