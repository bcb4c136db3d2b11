r"""Linear systems in continuous time (lecture 56): x' = A x + B u, y = C x + D u, in time and in frequency.

One system at a time, with one input and one output: a [S, S], b [S], c [S], d [].
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require_rank, require_values
from theory_jax.state_space._system import require_system

TERMS = 16  # of the exponential series at a norm of at most 1/2: the remainder is below 1e-19
SQUARINGS = 20  # of a matrix of norm up to 5e5, where the exponential loses six digits; beyond, it is NaN


def state_transition(times, a):
    r"""e^(At) = sum_k (At)^k / k!: takes the state over a time t, forward or back, if there is no input.

    Raises ValueError if a is not square or the shapes do not fit.  Source: Kailath 1980, section 2.5.
    [B], [S, S] -> [B, S, S]
    """
    require_rank(1, times=times)
    require_system(a)
    return _exponential(times[:, None, None] * a)


def impulse_response(times, a, b, c):
    r"""h(t) = C e^(At) B for t >= 0: the output after an impulse of the input at 0, without the part D delta(t).

    Raises ValueError if a is not square, the shapes do not fit, or an entry of times is negative.
    Source: Kailath 1980, section 1.2.
    [B], [S, S], [S], [S] -> [B]
    """
    _require_response(times, a, b=b, c=c)
    return jnp.einsum("i,tij,j->t", c, state_transition(times, a), b)


def step_response(times, a, b, c, d, initial):
    r"""y(t) = C e^(At) x_0 + int_0^t C e^(As) B ds + D for t >= 0: the output if the input is 1 from 0 on.

    Exact for every A, singular or not: the exponential is that of state and input together, x' = A x + B u, u' = 0.

    Raises ValueError if a is not square, the shapes do not fit, or an entry of times is negative.
    Source: Van Loan 1978, theorem 1.
    [B], [S, S], [S], [S], [], [S] -> [B]
    """
    _require_response(times, a, b=b, c=c, initial=initial)
    require_rank(0, d=d)
    joint = jnp.pad(jnp.concatenate([a, b[:, None]], axis=1), ((0, 1), (0, 0)))
    moved = _exponential(times[:, None, None] * joint)
    return jnp.einsum("i,tij,j->t", jnp.append(c, d), moved, jnp.append(initial, jnp.ones_like(d)))


def transfer_function(frequencies, a, b, c, d):
    r"""H(s) = C (sI - A)^-1 B + D: the input e^(st) makes the output H(s) e^(st). s is complex, s = i omega an oscillation.

    Raises ValueError if a is not square, the shapes do not fit, or one of the frequencies is an eigenvalue of a.
    Source: Kailath 1980, section 1.2.
    complex [B], [S, S], [S], [S], [] -> complex [B]
    """
    _require_response(frequencies, a, b=b, c=c, times="frequencies", nonnegative=False)
    require_rank(0, d=d)
    systems = frequencies[:, None, None] * jnp.eye(len(b), dtype=a.dtype) - a
    require_values("frequencies I - a", systems, _invertible, "invertible: no frequency is an eigenvalue of a")
    inputs = jnp.broadcast_to(b.astype(systems.dtype)[:, None], (*systems.shape[:2], 1))
    return jnp.linalg.solve(systems, inputs)[..., 0] @ c + d


def _exponential(matrices):
    """Exponential of each matrix by scaling and squaring of the series."""
    norms = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(matrices), axis=-1), axis=-1))[:, None, None]
    halvings = jnp.ceil(jnp.log2(jnp.maximum(norms, 0.5))) + 1
    part = matrices * 2.0**-halvings
    identity = jnp.broadcast_to(jnp.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)

    def longer(series, k):
        return identity + part @ series / k, None

    def squared(power, k):
        return jnp.where(k < halvings, power @ power, power), None

    series, _ = jax.lax.scan(longer, identity, jnp.arange(TERMS, 0, -1).astype(matrices.dtype))
    power, _ = jax.lax.scan(squared, series, jnp.arange(SQUARINGS).astype(matrices.dtype))
    return jnp.where(halvings <= SQUARINGS, power, jnp.nan)


def _invertible(systems):
    return (np.linalg.matrix_rank(systems) == systems.shape[-1])[:, None, None]


def _require_response(points, a, *, times="times", nonnegative=True, **vectors):
    require_rank(1, **{times: points})
    require_system(a, **vectors)
    if nonnegative:
        require_values(times, points, lambda t: t >= 0, "at least 0: before an input there is no response")
