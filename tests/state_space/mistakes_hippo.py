"""Wrong forms of HiPPO's matrices, basis and memory that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.state_space import hippo as right
from tests.support.mistakes import Mistake


def _scales(order):
    return torch.arange(1.0, 2 * order, 2, dtype=torch.get_default_dtype()).sqrt()


def _legs_with(*, order, diagonal):
    a, b = right.legs_matrices(order=order)
    return a.tril(-1) - diagonal(torch.arange(order).to(a)).diag(), b


def _unnormalized(*, order):
    a, b = right.legs_matrices(order=order)
    return _scales(order)[:, None] * a / _scales(order), b**2


def _legt_with(*, order, window, sign):
    n = torch.arange(order)
    lags = n[:, None] - n
    s = _scales(order)
    return -sign(lags) * torch.outer(s, s) / window, s / window


def _alternating(lags):
    return 1.0 - 2.0 * (lags % 2)


def _monomials(points, *, order):
    """The polynomials by their coefficients, which cancel at high orders."""
    columns = []
    for n in range(order):
        coefficient, column = 1.0, torch.zeros_like(points)
        for power in range(n + 1):
            column = column + (-1) ** (n + power) * coefficient * points**power
            coefficient *= (n - power) * (n + power + 1) / (power + 1) ** 2
        columns.append(column)
    return torch.stack(columns, 1) * _scales(order).to(points)


def _basis_at(points, *, order, of=lambda x: x, scale=1.0, normalized=True):
    basis = scale * right.legendre_basis(of(points), order=order)
    return basis if normalized else basis / _scales(order).to(points)


def _unshifted(points, *, order):
    right.legendre_basis(points, order=order)  # for its checks
    return right.legendre_basis((points + 1) / 2, order=order)


def _step(value, coefficients, *, index, share=0.5, input_share=1.0, transposed=False):
    """With the share of the slope at the end; input_share of the input."""
    right.legs_step(value, coefficients, index=index)  # for its checks
    a, b = (part.to(coefficients) for part in right.legs_matrices(order=coefficients.shape[1]))
    a = (a.T if transposed else a) / index
    known = coefficients + (1 - share) * coefficients @ a.T + input_share * value[:, None] * b / index
    return torch.linalg.solve(torch.eye(len(b)).to(a) - share * a, known.T).T


def _held(value, coefficients, *, index):
    """The exact step of a system with 1/t held: not the requested rule."""
    a, b = (part.to(coefficients) for part in right.legs_matrices(order=coefficients.shape[1]))
    joint = torch.nn.functional.pad(torch.cat((a, b[:, None]), 1), (0, 0, 0, 1)) / index
    moved = torch.linalg.matrix_exp(joint)[:-1]
    return coefficients @ moved[:, :-1].T + value[:, None] * moved[:, -1]


def _row_by_row(value, coefficients, *, index):
    """Forward substitution: the error of what is remembered so far drives the next coefficient."""
    missing, columns = value.clone(), []
    for n, (before, scale) in enumerate(zip(coefficients.T, _scales(coefficients.shape[1]).tolist(), strict=True)):
        rate = (n + 1) / (2 * index)
        columns.append(((1 - rate) * before + scale / index * missing) / (1 + rate))
        missing = missing - scale * (before + columns[-1]) / 2
    return torch.stack(columns, 1)


def _reconstruct(points, coefficients, **changed):
    return coefficients @ _basis_at(points, order=coefficients.shape[1], **changed).T


MISTAKES = (
    Mistake("legs_matrices", "2n + 1 on the diagonal", lambda *, order: _legs_with(order=order, diagonal=lambda n: 2 * n + 1)),
    Mistake("legs_matrices", "n + 1/2 on the diagonal", lambda *, order: _legs_with(order=order, diagonal=lambda n: n + 0.5)),
    Mistake("legs_matrices", "the upper triangle", lambda *, order: (right.legs_matrices(order=order)[0].T,
                                                                     right.legs_matrices(order=order)[1])),
    Mistake("legs_matrices", "the basis not normalized", _unnormalized),
    Mistake("legs_matrices", "any order", lambda *, order: right.legs_matrices(order=max(order, 1)), only_checks=True),
    Mistake("legt_matrices", "the signs on the other side", lambda *, order, window: _legt_with(
        order=order, window=window, sign=lambda lags: torch.where(lags > 0, _alternating(lags), 1.0))),
    Mistake("legt_matrices", "signs everywhere", lambda *, order, window: _legt_with(
        order=order, window=window, sign=_alternating)),
    Mistake("legt_matrices", "the window forgotten in B", lambda *, order, window: (
        right.legt_matrices(order=order, window=window)[0], right.legt_matrices(order=order, window=1)[1])),
    Mistake("legt_matrices", "any window", lambda *, order, window: (
        right.legt_matrices(order=order, window=window if window > 0 else 1.0)), only_checks=True),
    Mistake("legendre_basis", "not normalized", lambda points, *, order: _basis_at(points, order=order, normalized=False)),
    Mistake("legendre_basis", "orthonormal on [-1, 1]", lambda points, *, order: _basis_at(points, order=order, scale=0.5**0.5)),
    Mistake("legendre_basis", "not shifted", _unshifted),
    Mistake("legendre_basis", "time turned around", lambda points, *, order: _basis_at(points, order=order, of=lambda x: 1 - x)),
    Mistake("legendre_basis", "by powers of x", _monomials),
    Mistake("legs_step", "forward Euler", lambda **given: _step(**given, share=0)),
    Mistake("legs_step", "backward Euler", lambda **given: _step(**given, share=1)),
    Mistake("legs_step", "the exact hold", _held),
    Mistake("legs_step", "half of the input", lambda **given: _step(**given, input_share=0.5)),
    Mistake("legs_step", "A transposed", lambda **given: _step(**given, transposed=True)),
    Mistake("legs_step", "counted from 0", lambda value, coefficients, *, index: (
        right.legs_step(value, coefficients, index=index + 1))),
    Mistake("legs_step", "the index forgotten", lambda value, coefficients, *, index: (
        right.legs_step(value, coefficients, index=min(index, 1)))),
    Mistake("reconstruct", "time turned around", lambda points, coefficients: _reconstruct(
        points, coefficients, of=lambda x: 1 - x)),
    Mistake("reconstruct", "not normalized", lambda points, coefficients: _reconstruct(points, coefficients, normalized=False)),
)  # fmt: skip

EQUIVALENT = (Mistake("legs_step", "row by row", _row_by_row, core_alone=True), Mistake("legs_step", "by a full solve", _step))
