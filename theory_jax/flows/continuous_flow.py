"""Continuous normalizing flow: points follow a velocity, and their log-density changes by minus its divergence.

Time runs from 0, the noise, to 1, the data.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require_batch, require_rank
from theory_jax.flows._arguments import require_probes, velocity_at
from theory_jax.flows._coupling import applied, perceptron
from theory_jax.flows._divergence import value_and_products
from theory_jax.flows.change_of_variables import standard_normal_log_prob
from theory_jax.flows.ode_solvers import solve_fixed
from theory_jax.mathematics.levels import sum_each


def augmented_velocity(x, time, probes, velocity_fn):
    r"""dx/dt = v(x, t) and the rate of the log-density along the path, d log p/dt = -div v, in nats.

    The divergence is the mean of p^T J p over the P probes of every example: exact with the D probes sqrt(D) e_i, unbiased where
    E p p^T = I. velocity_fn(x, time) -> dx/dt, like x, with time: [], treats every example by itself.

    Raises ValueError if x has no batch axis, time has an axis, probes does not hold one or more of the shape of x, or velocity_fn
    does not return the shape of x.  Source: Chen et al. 2018, theorem 1; Grathwohl et al. 2019, eq. 7.
    [B, ...], [], [P, B, ...] -> [B, ...], [B]
    """
    require_batch(x=x)
    require_rank(0, time=time)
    require_probes(x, probes)
    time = jnp.asarray(time, x.dtype)
    velocity, products = value_and_products(x, probes, lambda x: velocity_at(x, time, velocity_fn))
    return velocity, -jnp.mean(products, axis=0)


def integrate(x, probes, times, velocity_fn):
    r"""x at the last of the times, and by how much log p has changed along the path: minus the integral of div v, in nats.

    Runge-Kutta of order four, one step between two times, which may fall. The probes are the same at all times; velocity_fn as
    in augmented_velocity.

    Raises ValueError unless x has a batch axis, probes holds one or more of the shape of x, times are two or more that rise, or
    fall, all the way, and velocity_fn returns the shape of x.  Source: Chen et al. 2018, eq. 8; Grathwohl et al. 2019, eq. 4.
    [B, ...], [P, B, ...], [N+1] -> [B, ...], [B]
    """
    require_batch(x=x)
    require_probes(x, probes)
    return _followed(x, times, lambda x, time: augmented_velocity(x, time, probes, velocity_fn))


def log_prob(x, probes, times, velocity_fn):
    r"""log N(z; 0, I) - delta at data x, in nats: z is x at the last of the times, delta the change of log p on the way there.

    times run from the data's end of the flow to the base's: from 1 to 0, where the flow turns noise at 0 into data at 1.
    velocity_fn and probes as in augmented_velocity.

    Raises ValueError unless x has a batch axis, probes holds one or more of the shape of x, times are two or more that rise, or
    fall, all the way, and velocity_fn returns the shape of x.  Source: Grathwohl et al. 2019, eq. 3 and 4.
    [B, ...], [P, B, ...], [N+1] -> [B]
    """
    z, delta = integrate(x, probes, times, velocity_fn)
    return standard_normal_log_prob(z) - delta


def kinetic_energy(x, times, velocity_fn):
    r"""The integral of |v(x_t, t)|^2 over the time spent on the path from x: never negative, also where times fall.

    At least |x_N - x_0|^2 / |t_N - t_0|, which a straight path at constant speed attains. velocity_fn as in augmented_velocity.

    Raises ValueError unless x has a batch axis, times are two or more that rise, or fall, all the way, and velocity_fn returns
    the shape of x.  Source: Finlay et al. 2020, eq. 6.
    [B, ...], [N+1] -> [B]
    """
    require_batch(x=x)

    def rates(x, time):
        velocity = velocity_at(x, time, velocity_fn)
        return velocity, sum_each(velocity**2)

    _, energy = _followed(x, times, rates)
    return jnp.sign(times[-1] - times[0]) * energy


def _followed(x, times, rates):
    """x at the last of the times, and the integral of a number of each example; rates(x, time) -> dx/dt, that of the number.

    Both are one array to the solver, a row for each example.
    """
    batch, size = x.shape[0], math.prod(x.shape[1:])

    def velocity_fn(state, time):
        velocity, rate = rates(state[:, :-1].reshape(x.shape), time)
        return jnp.concatenate([velocity.reshape(batch, size), rate[:, None]], axis=1)

    start = jnp.concatenate([x.reshape(batch, size), jnp.zeros((batch, 1), x.dtype)], axis=1)
    end = solve_fixed(start, times, velocity_fn)
    return end[:, :-1].reshape(x.shape), end[:, -1]


class ContinuousFlow(nnx.Module):
    """A perceptron of place and time as velocity, with its exact trace: [B, D] -> z [B, D], log_det [B]."""

    def __init__(self, *, dim, hidden, num_steps, rngs: nnx.Rngs):
        self.steps = num_steps
        self.velocity = perceptron(dim + 1, *hidden, dim, activation=jax.nn.silu, rngs=rngs)

    def __call__(self, x):
        size = x.shape[1]
        probes = math.sqrt(size) * jnp.broadcast_to(jnp.eye(size, dtype=x.dtype)[:, None], (size, *x.shape))
        z, delta = integrate(x, probes, jnp.linspace(1.0, 0.0, self.steps + 1), self._velocity)
        return z, -delta

    def _velocity(self, x, time):
        return applied(self.velocity, jnp.concatenate([x, jnp.broadcast_to(time, (len(x), 1))], axis=1))
