"""Rectified flow: paths that become straight when a flow is trained again on the pairs that it makes.

Time runs from 0, the noise x0, to 1, the data x1.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_batch, require_rank, require_same_shape, require_values
from theory_jax.flows._arguments import velocity_at
from theory_jax.mathematics.levels import sum_each


def reflow_pairs(x0, times, velocity_fn):
    r"""x0 and the place to which Euler's method carries it, one step between two times: the pairs of the next round.

    velocity_fn(x, time) -> the velocity, like x, with time: [B].

    Raises ValueError if x0 has no batch axis, times are not two or more that rise all the way, or velocity_fn does not return
    the shape of x0.  Source: Liu et al. 2023, algorithm 1.
    [B, ...], [N+1] -> [B, ...], [B, ...]
    """
    return x0, _path(x0, times, velocity_fn)[0]


def straightness(x0, times, velocity_fn):
    r"""sum_k h_k ||(x_N - x_0)/(t_N - t_0) - v_k||^2 along the path of Euler's method from x0, with velocities v_k, steps h_k.

    It is 0 if and only if the velocity does not change on the path; one step shows nothing. velocity_fn(x, time) -> the
    velocity, like x, with time: [B].

    Raises ValueError if x0 has no batch axis, times are not two or more that rise all the way, or velocity_fn does not return
    the shape of x0.  Source: Liu et al. 2023, section 3.
    [B, ...], [N+1] -> [B]
    """
    end, velocities = _path(x0, times, velocity_fn)
    mean = (end - x0) / (times[-1] - times[0])
    return jnp.diff(times) @ jax.vmap(sum_each)((mean - velocities) ** 2)


def transport_cost(x0, x1):
    r"""||x1 - x0||^2, summed over all axes but the first.

    Raises ValueError if x0 has no batch axis or the shapes differ.  Source: Villani 2003; Liu et al. 2023, section 3.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(x0=x0)
    require_same_shape(x0=x0, x1=x1)
    return sum_each((x1 - x0) ** 2)


def _path(x0, times, velocity_fn):
    """The end of Euler's path and its velocities, [N, B, ...]."""
    require_batch(x0=x0)
    require_rank(1, times=times)
    require(len(times) > 1, f"times has {len(times)} entries; it must have at least two")
    require_values("times", jnp.diff(times), lambda d: d > 0, "rising all the way, from noise to data (shown: a step)")

    def advance(x, ends):
        now, then = ends
        velocity = velocity_at(x, jnp.full(len(x), now), velocity_fn)
        return x + (then - now) * velocity, velocity

    return jax.lax.scan(advance, x0, (times[:-1], times[1:]))
