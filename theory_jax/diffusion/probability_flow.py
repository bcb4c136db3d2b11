"""The probability flow (lecture 34): a deterministic motion with a diffusion's densities, and the likelihood that it gives.

v = f - g^2/2 s is the velocity, of drift f, diffusion g and score s.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_one_each, require_same_shape
from theory_jax.flows.continuous_flow import log_prob as flow_log_prob
from theory_jax.flows.ode_solvers import solve_fixed
from theory_jax.mathematics.levels import per_example


def probability_flow_drift(score, drift, diffusion):
    r"""f - g^2/2 grad log p: the velocity of the ordinary equation that has the densities of dx = f dt + g dw.

    Raises ValueError if the shapes of score and drift differ, or diffusion has not one entry for each example.
    Source: Song et al. 2021, eq. 13.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(score=score, drift=drift)
    require_one_each(score, diffusion=diffusion)
    return drift - per_example(diffusion, score) ** 2 / 2 * score


def solve(x, times, drift_fn):
    r"""x at the last of the times, by the classical Runge-Kutta method (order four) with one step between two times.

    drift_fn(x, time) -> dx/dt, like x, with time: [B]. Times may fall: the way back.

    Raises ValueError unless times are two or more that rise, or fall, all the way, and drift_fn returns the shape of x.
    Source: Kutta 1901; Song et al. 2021, section 4.3.
    [B, ...], [N+1] -> [B, ...]
    """
    return solve_fixed(x, times, _at_each(drift_fn))


def log_prob(x, probes, times, drift_fn):
    r"""log N(x(t_N); 0, I) + int_t0^tN div drift dt, nats: the log-density at x of the flow that ends in standard normal noise.

    The divergence is the mean of e^T J e over the P probes e of each example, the same at all times; it is exact for probes
    sqrt(D) times the unit vectors, and unbiased for probes of mean zero and covariance I. The integral is solved with the state.

    Raises ValueError unless probes holds one or more of the shape of x, times are two or more that rise, or fall, all the way,
    and drift_fn returns the shape of x.  Source: Chen et al. 2018, theorem 1; Song et al. 2021, eq. 39.
    [B, ...], [P, B, ...], [N+1] -> [B]
    """
    return flow_log_prob(x, probes, times, _at_each(drift_fn))


def _at_each(drift_fn):
    """The velocity at one time, given to every example."""

    def velocity_fn(x, time):
        velocity = drift_fn(x, jnp.full(len(x), time))
        found, wanted = list(jnp.shape(velocity)), list(jnp.shape(x))
        require(found == wanted, f"drift_fn returned shape {found}; it must return that of x, {wanted}")
        return velocity

    return velocity_fn
