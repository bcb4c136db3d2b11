r"""Discretization of x' = A x + B u with the input held for a step: x_t = A_bar x_(t-1) + B_bar u_t, by a solve or exponential.

One system at a time: a [S, S], b [S, M] for M inputs. step_size is a positive number or a tensor without axes; it may be learned.
"""

import torch

from practice_torch.arguments import require_rank, require_shape, require_values
from practice_torch.state_space._hold import held
from practice_torch.state_space._system import require_system


def forward_euler(a, b, *, step_size):
    r"""(I + h A, h B), h = step_size: the slope at the beginning of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, or step_size is not positive.  Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    step_size = _system_step(a, b, step_size)
    return step_size * a + _identity(a), step_size * b


def backward_euler(a, b, *, step_size):
    r"""(I - h A)^-1 (I, h B), h = step_size: the slope at the end of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, step_size is not positive, or 1 / h is an eigenvalue of a.
    Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    return _implicit(a, b, step_size, 1.0)


def bilinear(a, b, *, step_size):
    r"""(I - h/2 A)^-1 (I + h/2 A, h B), h = step_size: the mean of the slopes at both ends (Tustin's rule).

    Raises ValueError if a is not square, the shapes do not fit, step_size is not positive, or 2 / h is an eigenvalue of a.
    Source: Tustin 1947; Gu et al. 2022, eq. 3.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    return _implicit(a, b, step_size, 0.5)


def zero_order_hold(a, b, *, step_size):
    r"""(e^(h A), int_0^h e^(As) ds B), h = step_size: exact, as the input is constant during the step.

    Both are blocks of the exponential of h [[A, B], [0, 0]]; A may be singular.

    Raises ValueError if a is not square, the shapes do not fit, or step_size is not positive.  Source: Van Loan 1978, theorem 1.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    step_size = _system_step(a, b, step_size)
    rows = torch.cat((a, b), 1)
    moved = torch.linalg.matrix_exp(step_size * torch.cat((rows, rows.new_zeros(b.shape[1], rows.shape[1]))))
    return moved[: len(a)].tensor_split((len(a),), dim=1)


def zero_order_hold_diagonal(eigenvalues, b, *, step_size):
    r"""(e^z, h (e^z - 1)/z b), z = h eigenvalue, h = step_size: zero_order_hold of a diagonal A, one input; h b where z = 0.

    Raises ValueError if the shapes differ or step_size is not positive.
    Source: Gupta et al. 2022, section 3; Gu et al. 2022b, eq. 7.
    complex [S], [S], [] -> complex [S], complex [S]
    """
    require_rank(1, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, b=b)
    step_size = _step(step_size, like=b)
    z, gain = (torch.complex(*parts) for parts in held(eigenvalues.real, eigenvalues.imag, step_size))
    return z.exp(), b * gain


def _implicit(a, b, step_size, share):
    """(I - share h A)^-1 (I + (1 - share) h A, h B), h = step_size, by one elimination; share: that of the slope at the end."""
    step_size = _system_step(a, b, step_size)
    system = _identity(a) - share * step_size * a
    require_values(f"I - {share:g} step_size a", system, _invertible, "invertible: choose a smaller step_size")
    moving = _identity(a) if share == 1 else _identity(a) + (1 - share) * step_size * a
    return torch.linalg.solve(system, torch.cat((moving, step_size * b), 1)).tensor_split((len(a),), dim=1)


def _invertible(system):
    return torch.linalg.slogdet(system.detach()).sign != 0


def _identity(a):
    return torch.eye(len(a), dtype=a.dtype, device=a.device)


def _system_step(a, b, step_size):
    require_system(a)
    require_rank(2, b=b)
    require_shape((a.shape[0], b.shape[1]), b=b)
    return _step(step_size, like=b.real)


def _step(step_size, like):
    """The step as a tensor."""
    step_size = torch.as_tensor(step_size, dtype=like.dtype, device=like.device)
    require_rank(0, step_size=step_size)
    require_values("step_size", step_size, lambda length: length > 0, "positive")
    return step_size
