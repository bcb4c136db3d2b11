"""Wrong forms of discretization rules that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.state_space import discretization as right
from tests.support.mistakes import Mistake


def _eye(a):
    return torch.eye(len(a), dtype=a.dtype)


def _theta(a, b, *, step_size, share=0.5, length=1.0):
    system = _eye(a) - share * step_size * a
    return torch.linalg.solve(system, _eye(a) + (1 - share) * step_size * a), torch.linalg.solve(system, length * step_size * b)


def _without_halves(a, b, *, step_size):
    return torch.linalg.solve(_eye(a) - step_size * a, _eye(a) + step_size * a), torch.linalg.solve(
        _eye(a) - step_size * a, step_size * b
    )


def _hold_by_the_inverse(a, b, *, step_size):
    """Right where A is invertible."""
    moved = torch.linalg.matrix_exp(step_size * a)
    return moved, torch.linalg.pinv(a) @ (moved - _eye(a)) @ b


def _diagonal(eigenvalues, b, *, step_size, of=lambda z, rate, step_size: (z.exp() - 1) / rate):
    z = step_size * eigenvalues
    return z.exp(), b * of(z, eigenvalues, step_size)


def _where_alone(eigenvalues, b, *, step_size):
    """The limit at 0 in the value; the gradient has the NaN of the quotient."""
    z = step_size * eigenvalues
    return z.exp(), step_size * b * torch.where(z == 0, 1, torch.expm1(z) / z)


def _limit_without_a_slope(eigenvalues, b, *, step_size):
    z = step_size * eigenvalues
    return z.exp(), step_size * b * torch.where(z == 0, 1, torch.expm1(z) / torch.where(z == 0, 1, z))


def _by_hyperbolic_sine(eigenvalues, b, *, step_size):
    """e^(z/2) sinh(z/2) / (z/2), with a series for the last quotient."""
    half = step_size * eigenvalues / 2
    near = half.detach().abs() < 0.5
    small, far = torch.where(near, half, 0) ** 2, torch.where(near, 1, half)
    series = torch.ones_like(half)
    for k in range(10, 0, -1):
        series = 1 + series * small / (2 * k * (2 * k + 1))
    quotient = (2 * far).exp() - 1
    return (2 * half).exp(), b * torch.where(near, step_size * half.exp() * series, quotient / torch.where(near, 1, eigenvalues))


MISTAKES = (
    Mistake("forward_euler", "the exact e^(step A)", lambda a, b, *, step_size: (
        torch.linalg.matrix_exp(step_size * a), step_size * b)),
    Mistake("forward_euler", "B without the step", lambda a, b, *, step_size: (_eye(a) + step_size * a, b + 0 * step_size)),
    Mistake("forward_euler", "A transposed", lambda a, b, *, step_size: (_eye(a) + step_size * a.T, step_size * b)),
    Mistake("forward_euler", "any step", lambda a, b, *, step_size: (_eye(a) + step_size * a, step_size * b), only_checks=True),
    Mistake("backward_euler", "B not solved for", lambda a, b, *, step_size: (
        torch.linalg.inv(_eye(a) - step_size * a), step_size * b)),
    Mistake("backward_euler", "forward Euler", lambda a, b, *, step_size: right.forward_euler(a, b, step_size=step_size)),
    Mistake("backward_euler", "the sign of the step", lambda a, b, *, step_size: _theta(-a, b, step_size=step_size, share=1.0)),
    Mistake("bilinear", "half of the step in B", lambda a, b, *, step_size: _theta(a, b, step_size=step_size, length=0.5)),
    Mistake("bilinear", "without the halves", _without_halves),
    Mistake("bilinear", "B not solved for", lambda a, b, *, step_size: (
        right.bilinear(a, b, step_size=step_size)[0], step_size * b)),
    Mistake("zero_order_hold", "the step in place of the integral",
            lambda a, b, *, step_size: (torch.linalg.matrix_exp(step_size * a), step_size * b)),
    Mistake("zero_order_hold", "by the inverse of A", _hold_by_the_inverse),
    Mistake("zero_order_hold", "elementwise",
            lambda a, b, *, step_size: ((step_size * a).exp(), right.zero_order_hold(a, b, step_size=step_size)[1])),
    Mistake("zero_order_hold", "the mean of both ends", lambda a, b, *, step_size: (
        torch.linalg.matrix_exp(step_size * a), step_size / 2 * (b + torch.linalg.matrix_exp(step_size * a) @ b))),
    Mistake("zero_order_hold_diagonal", "0/0 at eigenvalue 0", _diagonal),
    Mistake("zero_order_hold_diagonal", "the step in place of the integral", lambda eigenvalues, b, *, step_size: (
        _diagonal(eigenvalues, b, step_size=step_size, of=lambda z, rate, step_size: step_size + 0 * rate))),
    Mistake("zero_order_hold_diagonal", "divided by z", lambda eigenvalues, b, *, step_size: (
        (held := right.zero_order_hold_diagonal(eigenvalues, b, step_size=step_size))[0], held[1] / step_size)),
    Mistake("zero_order_hold_diagonal", "bilinear", lambda eigenvalues, b, *, step_size: (
        _diagonal(eigenvalues, b, step_size=step_size, of=lambda z, rate, step_size: step_size / (1 - z / 2)))),
    Mistake("zero_order_hold_diagonal", "a NaN in the gradient at eigenvalue 0", _where_alone),
    Mistake("zero_order_hold_diagonal", "no gradient at eigenvalue 0", _limit_without_a_slope),
    Mistake("zero_order_hold_diagonal", "the quotient one roundoff from 0", lambda eigenvalues, b, *, step_size: _diagonal(
        eigenvalues, b, step_size=step_size,
        of=lambda z, rate, step_size: torch.where(z == 0, step_size, (z.exp() - 1) / torch.where(z == 0, 1, rate)))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "bilinear",
        "two half steps",
        lambda a, b, *, step_size: (
            right.backward_euler(a, b, step_size=step_size / 2)[0] @ right.forward_euler(a, b, step_size=step_size / 2)[0],
            2 * right.backward_euler(a, b, step_size=step_size / 2)[1],
        ),
    ),
    Mistake("zero_order_hold_diagonal", "by the hyperbolic sine", _by_hyperbolic_sine, core_alone=True),
)
