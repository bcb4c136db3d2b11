"""Adjoint gradients: gradients of a loss at a flow's end in its start and in the velocity's parameters, without stored steps."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require_rank, require_same_shape, require_values
from theory_jax.flows.ode_solvers import solve_fixed

CLOSE = 0.01  # how far from x the way back may end, relative to both ends of the path


def adjoint_gradients(x, cotangent, parameters, times, velocity_fn):
    r"""x_N at the last of the times, and the gradients of sum_b cotangent_b . x_N,b in x and in the parameters, no step stored.

    From x_N back through the times: x' = v, a' = -(dv/dx)^T a from a = cotangent, g' = -sum_b (dv/dtheta)^T a from g = 0, by
    Runge-Kutta steps of order four each way. The gradients are those of the solution up to the fourth power of a step, not those
    of the computed x_N. velocity_fn(x, time, parameters) -> dx/dt, like x, with time: [], treats every example by itself.

    Raises ValueError unless x has two axes, cotangent its shape, parameters one axis, times are two or more that rise, or fall,
    all the way, and velocity_fn returns the shape of x; and, where values are read, if the way back through times misses x by
    more than a hundredth: solutions that approach each other cannot be followed back.
    Source: Chen et al. 2018, algorithm 1; Pontryagin et al. 1962.
    [B, D], [B, D], [P], [N+1] -> [B, D], [B, D], [P]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, cotangent=cotangent)
    require_rank(1, parameters=parameters)
    end = solve_fixed(x, times, lambda x, time: velocity_fn(x, time, parameters))
    size = x.size

    def rates(state, time):
        place, adjoint = (part.reshape(x.shape) for part in (state[:size], state[size : 2 * size]))
        velocity, pull = jax.vjp(lambda x, parameters: velocity_fn(x, time, parameters), place, parameters)
        by_x, by_parameters = pull(adjoint)
        return jnp.concatenate([velocity.ravel(), -by_x.ravel(), -by_parameters])

    back = jnp.concatenate([end.ravel(), cotangent.ravel(), jnp.zeros_like(parameters)])
    back = solve_fixed(back, times[::-1], rates)
    start, by_x = (part.reshape(x.shape) for part in (back[:size], back[size : 2 * size]))
    _require_return(x, start, end)
    return end, by_x, back[2 * size :]


def _require_return(x, start, end):
    """The way back ends where the way there began."""
    missed, both = (jnp.linalg.norm(difference, axis=1) for difference in (start - x, jnp.concatenate([x, end], axis=1)))
    share = jnp.where(both > 0, missed / jnp.where(both > 0, both, 1.0), missed)
    allowed = f"at most {CLOSE}: smaller steps, or a solver that stores its steps"
    require_values("times miss x on the way back by a share that", share, lambda share: share <= CLOSE, allowed)
