r"""Discretization (lecture 56): x' = A x + B u, with the input held for a step, as a recurrence x_t = A_bar x_(t-1) + B_bar u_t.

One system at a time: a [S, S], b [S, M] for M inputs. Every rule gives the pair (A_bar, B_bar); the current input acts at once.
step_size is a positive number or an array without axes, in which the rules are differentiable.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require_rank, require_shape, require_values
from theory_jax.state_space._hold import held
from theory_jax.state_space._system import require_system
from theory_jax.state_space.linear_system import state_transition


def forward_euler(a, b, *, step_size):
    r"""(I + h A, h B), h = step_size: the slope at the beginning of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, or step_size is not positive.  Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    _require_system(a, b, step_size)
    return _identity(a) + step_size * a, step_size * b


def backward_euler(a, b, *, step_size):
    r"""(I - h A)^-1 (I, h B), h = step_size: the slope at the end of the step, all through it.

    Raises ValueError if a is not square, the shapes do not fit, step_size is not positive, or 1 / h is an eigenvalue of a.
    Source: Butcher 2016, section 20.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    _require_system(a, b, step_size)
    return _solved(_identity(a) - step_size * a, _identity(a), step_size * b)


def bilinear(a, b, *, step_size):
    r"""(I - h/2 A)^-1 (I + h/2 A, h B), h = step_size: the mean of the slopes at both ends (Tustin's rule).

    Raises ValueError if a is not square, the shapes do not fit, step_size is not positive, or 2 / h is an eigenvalue of a.
    Source: Tustin 1947; Gu et al. 2022, eq. 3.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    _require_system(a, b, step_size)
    half = step_size / 2 * a
    return _solved(_identity(a) - half, _identity(a) + half, step_size * b)


def zero_order_hold(a, b, *, step_size):
    r"""(e^(h A), int_0^h e^(As) ds B), h = step_size: exact, as the input is constant during the step.

    Both are blocks of the exponential of h [[A, B], [0, 0]]; A may be singular.

    Raises ValueError if a is not square, the shapes do not fit, or step_size is not positive.  Source: Van Loan 1978, theorem 1.
    [S, S], [S, M], [] -> [S, S], [S, M]
    """
    _require_system(a, b, step_size)
    states, inputs = b.shape
    joint = jnp.pad(jnp.concatenate([a, b], axis=1), ((0, inputs), (0, 0)))
    moved = state_transition(jnp.reshape(jnp.asarray(step_size, a.dtype), (1,)), joint)[0]
    return moved[:states, :states], moved[:states, states:]


def zero_order_hold_diagonal(eigenvalues, b, *, step_size):
    r"""(e^z, h (e^z - 1)/z b), z = h eigenvalue, h = step_size: zero_order_hold of a diagonal A, one input; h b where z = 0.

    Raises ValueError if the shapes differ or step_size is not positive.
    Source: Gupta et al. 2022, section 3; Gu et al. 2022b, eq. 7.
    complex [S], [S], [] -> complex [S], complex [S]
    """
    require_rank(1, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, b=b)
    _require_step(step_size)
    z, gain = held(eigenvalues, step_size)
    return jnp.exp(z), b * gain


def _solved(system, moving, driving):
    """system^-1 moving and system^-1 driving, by one elimination."""
    require_values("I - h a or I - h/2 a, h = step_size", system, _invertible, "invertible: choose a smaller step_size")
    both = jnp.linalg.solve(system, jnp.concatenate([moving, driving], axis=1))
    return both[:, : len(system)], both[:, len(system) :]


def _invertible(system):
    return np.linalg.slogdet(system)[0] != 0


def _identity(a):
    return jnp.eye(len(a), dtype=a.dtype)


def _require_system(a, b, step_size):
    require_system(a)
    require_rank(2, b=b)
    require_shape((a.shape[0], b.shape[1]), b=b)
    _require_step(step_size)


def _require_step(step_size):
    require_rank(0, step_size=step_size)
    require_values("step_size", step_size, lambda length: length > 0, "positive")
