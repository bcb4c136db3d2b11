"""Continuous normalizing flow: points follow a velocity, and their log-density changes by minus its divergence.

Time runs from 0, the noise, to 1, the data.
"""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require_batch, require_rank
from practice_torch.flows._arguments import require_probes, velocity_at
from practice_torch.flows._divergence import value_and_products
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.ode_solvers import solve_fixed
from practice_torch.mathematics.levels import as_rows
from practice_torch.networks.perceptron import perceptron


def augmented_velocity(x, time, probes, velocity_fn):
    r"""dx/dt = v(x, t) and the rate of the log-density along the path, d log p/dt = -div v, in nats.

    The divergence is the mean of p^T J p over the P probes of every example: exact with the D probes sqrt(D) e_i, unbiased where
    E p p^T = I. velocity_fn(x, time) -> dx/dt, like x, with time: [], treats every example by itself.

    Raises ValueError if x has no batch axis, time has an axis, probes does not hold one or more of the shape of x, or velocity_fn
    does not return the shape of x.  Source: Chen et al. 2018, theorem 1; Grathwohl et al. 2019, eq. 7.
    [B, ...], [], [P, B, ...] -> [B, ...], [B]
    """
    require_batch(x=x)
    time = torch.as_tensor(time, dtype=x.dtype, device=x.device)
    require_rank(0, time=time)
    require_probes(x, probes)
    velocity, products = value_and_products(x, probes, lambda x: velocity_at(x, time, velocity_fn))
    return velocity, products.mean(0).neg()


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

    def rates(x, time):
        velocity, rate = augmented_velocity(x, time, probes, velocity_fn)
        return velocity, rate.unsqueeze(1)

    end, delta = _followed(x, times, rates, totals=1)
    return end, delta.squeeze(1)


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
        return velocity, _squared_length(velocity)

    _, energy = _followed(x, times, rates, totals=1)
    return energy.squeeze(1) * (times[-1] - times[0]).sign()


def _squared_length(velocity):
    return as_rows(velocity).square().sum(1, keepdim=True)


def _followed(x, times, rates, *, totals):
    """x at the last of the times, and integrals of further numbers; rates(x, time) -> dx/dt and their rates, [B, totals].

    All of it is one tensor to the solver, a row for each example.
    """

    def velocity_fn(state, time):
        velocity, others = rates(state[:, :-totals].reshape(x.shape), time)
        return torch.cat([as_rows(velocity), others], dim=1)

    end = solve_fixed(torch.cat([as_rows(x), x.new_zeros(len(x), totals)], dim=1), times, velocity_fn)
    return end[:, :-totals].reshape(x.shape), end[:, -totals:]


class ContinuousFlow(nn.Module):
    """A perceptron of place and time as velocity, with its exact trace: [B, D] -> z [B, D], log_det [B].

    num_steps: of the solver, from end to end. The perceptron's last layer begins at zero, and the flow at the identity. Its
    activation has a continuous slope, as the divergence must not jump.
    """

    def __init__(self, *, dim, hidden, num_steps):
        super().__init__()
        self.steps = num_steps
        self.velocity = perceptron(dim + 1, *hidden, dim, activation=nn.SiLU)
        nn.init.zeros_(self.velocity[-1].weight)
        nn.init.zeros_(self.velocity[-1].bias)

    def forward(self, x):
        """z and the log-determinant of the way from x, at time 1, to z, at time 0."""
        return self._solved(x, self._times(x, self.steps).flip(0))

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        return self._solved(z, self._times(z, self.steps))

    def with_energy(self, x, *, num_steps):
        """z and the log-determinant, as forward, and the kinetic energy of the way, all from one solution with these steps."""

        def rates(x, time):
            velocity, divergence = self._with_divergence(x, time)
            return velocity, torch.cat([divergence, -_squared_length(velocity)], dim=1)

        z, totals = _followed(x, self._times(x, num_steps).flip(0), rates, totals=2)
        return z, *totals.unbind(1)

    def _solved(self, x, times):
        end, log_det = _followed(x, times, self._with_divergence, totals=1)
        return end, log_det.squeeze(1)

    def _with_divergence(self, x, time):
        """The velocity and its exact divergence, [B, 1]: the slopes along all axes pass the layers next to the values."""
        size = x.shape[1]
        first, *others = self.velocity[::2]
        value = functional.linear(x, first.weight[:, :size], torch.addmv(first.bias, first.weight[:, size:], time.view(1)))
        slopes = first.weight[:, :size].T.unsqueeze(1)  # [D, 1, H], the same for all examples
        for layer in others:
            gate = value.sigmoid()
            activated = value * gate
            slopes = (torch.addcmul(gate, activated, 1 - gate) * slopes) @ layer.weight.T
            value = functional.linear(activated, layer.weight, layer.bias)
        return value, slopes.diagonal(dim1=0, dim2=2).sum(1, keepdim=True).expand(len(x), 1)

    def _times(self, x, num_steps):
        return torch.linspace(0, 1, num_steps + 1, dtype=x.dtype, device=x.device)
