r"""Discretization of x' = A x + B u, whose input is held for a step: x_t = A_bar x_(t-1) + B_bar u_t, by a solve or exponential.

One system at a time: a [S, S], b [S, M] for M inputs. The step is a positive number or a tensor without axes; it may be learned.
"""

import torch

from practice_torch.arguments import require_rank, require_shape, require_values
from practice_torch.state_space._hold import held
from practice_torch.state_space._system import require_system


def forward_euler(a, b, *, step):
    r"""(I + step A, step B): the slope at the beginning of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, or step is not positive.  Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    step = _system_step(a, b, step)
    return step * a + _identity(a), step * b


def backward_euler(a, b, *, step):
    r"""(I - step A)^-1 (I, step B): the slope at the end of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, step is not positive, or 1 / step is an eigenvalue of a.
    Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    return _implicit(a, b, step, 1.0)


def bilinear(a, b, *, step):
    r"""(I - step/2 A)^-1 (I + step/2 A, step B): the mean of the slopes at both ends (Tustin's rule).

    Raises ValueError if a is not square, the shapes do not fit, step is not positive, or 2 / step is an eigenvalue of a.
    Source: Tustin 1947; Gu et al. 2022, eq. 3.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    return _implicit(a, b, step, 0.5)


def zero_order_hold(a, b, *, step):
    r"""(e^(step A), int_0^step e^(As) ds B): exact, as the input is constant during the step.

    Both are blocks of the exponential of step [[A, B], [0, 0]]; A may be singular.

    Raises ValueError if a is not square, the shapes do not fit, or step is not positive.  Source: Van Loan 1978, theorem 1.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    step = _system_step(a, b, step)
    rows = torch.cat((a, b), 1)
    moved = torch.linalg.matrix_exp(step * torch.cat((rows, rows.new_zeros(b.shape[1], rows.shape[1]))))
    return moved[: len(a)].tensor_split((len(a),), dim=1)


def zero_order_hold_diagonal(eigenvalues, b, *, step):
    r"""(e^z, step (e^z - 1)/z b), z = step eigenvalue: zero_order_hold of a diagonal A, with one input; step b where z = 0.

    Raises ValueError if the shapes differ or step is not positive.  Source: Gupta et al. 2022, section 3; Gu et al. 2022b, eq. 7.
    complex [S], [S], [] -> complex [S], complex [S]
    """
    require_rank(1, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, b=b)
    step = _step(step, like=b)
    z, gain = held(eigenvalues, step)
    return z.exp(), b * gain


def _implicit(a, b, step, share):
    """(I - share step A)^-1 (I + (1 - share) step A, step B), by one elimination; share: the weight of the slope at the end."""
    step = _system_step(a, b, step)
    system = _identity(a) - share * step * a
    require_values(f"I - {share:g} step a", system, _invertible, "invertible: choose a smaller step")
    moving = _identity(a) if share == 1 else _identity(a) + (1 - share) * step * a
    return torch.linalg.solve(system, torch.cat((moving, step * b), 1)).tensor_split((len(a),), dim=1)


def _invertible(system):
    return torch.linalg.slogdet(system.detach()).sign != 0


def _identity(a):
    return torch.eye(len(a), dtype=a.dtype, device=a.device)


def _system_step(a, b, step):
    require_system(a)
    require_rank(2, b=b)
    require_shape((a.shape[0], b.shape[1]), b=b)
    return _step(step, like=b.real)


def _step(step, like):
    """The step as a tensor."""
    step = torch.as_tensor(step, dtype=like.dtype, device=like.device)
    require_rank(0, step=step)
    require_values("step", step, lambda length: length > 0, "positive")
    return step
