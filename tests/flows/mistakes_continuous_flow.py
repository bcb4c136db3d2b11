"""Wrong forms of continuous normalizing flows that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.flows import continuous_flow as right
from practice_torch.flows.change_of_variables import log_abs_det_jacobian, standard_normal_log_prob
from practice_torch.flows.hutchinson_trace import hutchinson_divergence
from practice_torch.flows.ode_solvers import solve_fixed
from tests.support.mistakes import Mistake


def _rates(change):
    """change(velocity, rate, x) of the right rates."""

    def wrong(x, time, probes, velocity_fn):
        return change(*right.augmented_velocity(x, time, probes, velocity_fn), x)

    return wrong


def _of_the_first(x, time, probes, velocity_fn):
    right.augmented_velocity(x, time, probes, velocity_fn)  # for its checks
    return right.augmented_velocity(x, time, probes[:1], velocity_fn)


def _solved(rate, method="runge_kutta_4"):
    """The solution with rate(x, time, probes, velocity_fn, stage) of the log-density; stage counts the evaluations."""

    def wrong(x, probes, times, velocity_fn):
        right.integrate(x, probes, times, velocity_fn)  # for its checks
        rows, stage = x.reshape(len(x), x.shape[1:].numel()), 0

        def velocity(state, time):
            nonlocal stage
            place = state[:, :-1].reshape(x.shape)
            found, stage = rate(place, time, probes, velocity_fn, stage), stage + 1
            return torch.cat([velocity_fn(place, time).reshape(rows.shape), found.unsqueeze(1)], 1)

        end = solve_fixed(torch.cat([rows, x.new_zeros(len(x), 1)], 1), times, velocity, method=method)
        return end[:, :-1].reshape(x.shape), end[:, -1]

    return wrong


def _minus_divergence(x, time, probes, velocity_fn, stage):
    return -hutchinson_divergence(x, probes, lambda x: velocity_fn(x, time))


def _a_probe_for_each_stage(x, time, probes, velocity_fn, stage):
    return _minus_divergence(x, time, probes[stage % len(probes)].unsqueeze(0), velocity_fn, stage)


def _at_the_start(x, probes, times, velocity_fn):
    """The rate at the start for the whole way."""
    end, _ = right.integrate(x, probes, times, velocity_fn)
    return end, (times[-1] - times[0]) * right.augmented_velocity(x, times[0], probes, velocity_fn)[1]


def _of_the_map(x, probes, times, velocity_fn):
    """The exact log-determinant of the steps themselves, which is not what the probes estimate."""
    end, delta = right.integrate(x, probes, times, velocity_fn)
    if len(x) == 0:
        return end, delta
    return end, -log_abs_det_jacobian(x, lambda x: solve_fixed(x, times, velocity_fn))


def _density(change):
    """change(x, z, delta) after the right solution."""

    def wrong(x, probes, times, velocity_fn):
        return change(x, *right.integrate(x, probes, times, velocity_fn))

    return wrong


def _turned(x, probes, times, velocity_fn):
    return right.log_prob(x, probes, times.flip(0), velocity_fn)


def _energy(rate, sign=lambda times: (times[-1] - times[0]).sign()):
    """The integral of rate(velocity rows), times a sign."""

    def wrong(x, times, velocity_fn):
        found = right.kinetic_energy(x, times, velocity_fn)  # for its checks
        size = x.shape[1:].numel()

        def velocity(state, time):
            moved = velocity_fn(state[:, :-1].reshape(x.shape), time).reshape(len(x), size)
            return torch.cat([moved, rate(moved).unsqueeze(1)], 1)

        state = torch.cat([x.reshape(len(x), size), x.new_zeros(len(x), 1)], 1)
        return solve_fixed(state, times, velocity)[:, -1] * sign(times) + 0 * found

    return wrong


def _squares(moved):
    return moved.square().sum(1)


MISTAKES = (
    Mistake("augmented_velocity", "the sign", _rates(lambda velocity, rate, x: (velocity, -rate))),
    Mistake(
        "augmented_velocity",
        "the mean over the entries",
        _rates(lambda velocity, rate, x: (velocity, rate / max(1, x.shape[1:].numel()))),
    ),
    Mistake("augmented_velocity", "the velocity backward", _rates(lambda velocity, rate, x: (-velocity, rate))),
    Mistake(
        "augmented_velocity",
        "no gradient of the trace",
        _rates(lambda velocity, rate, x: (velocity, rate.detach() + 0 * velocity.flatten(1).sum(1) if rate.numel() else rate)),
    ),
    Mistake("augmented_velocity", "the first probe alone", _of_the_first),
    Mistake("integrate", "a probe for each stage", _solved(_a_probe_for_each_stage)),
    Mistake("integrate", "Euler's steps", _solved(_minus_divergence, method="euler")),
    Mistake("integrate", "the divergence without its sign", _solved(lambda *given: -_minus_divergence(*given))),
    Mistake(
        "integrate",
        "the time from the other end",
        lambda x, probes, times, velocity_fn: right.integrate(
            x, probes, times, lambda x, time: velocity_fn(x, times[0] + times[-1] - time)
        ),
    ),
    Mistake("integrate", "the rate at the start for the whole way", _at_the_start),
    Mistake("integrate", "the log-determinant of the steps", _of_the_map),
    Mistake("log_prob", "the sign", _density(lambda x, z, delta: standard_normal_log_prob(z) + delta)),
    Mistake("log_prob", "the density at the data's end", _density(lambda x, z, delta: standard_normal_log_prob(x) - delta)),
    Mistake("log_prob", "from noise to data", _turned),
    Mistake("log_prob", "no trace", _density(lambda x, z, delta: standard_normal_log_prob(z) + 0 * delta)),
    Mistake("kinetic_energy", "negative where times fall", _energy(_squares, sign=lambda times: 1.0)),
    Mistake("kinetic_energy", "the mean over the entries", _energy(lambda moved: moved.square().mean(1))),
    Mistake("kinetic_energy", "half of it", _energy(lambda moved: _squares(moved) / 2)),
    Mistake(
        "kinetic_energy",
        "the mean over the time",
        lambda x, times, velocity_fn: right.kinetic_energy(x, times, velocity_fn) / (times[-1] - times[0]).abs(),
    ),
    Mistake(
        "kinetic_energy",
        "the squared displacement",
        lambda x, times, velocity_fn: (
            0 * right.kinetic_energy(x, times, velocity_fn)
            + (solve_fixed(x, times, velocity_fn) - x).reshape(len(x), x.shape[1:].numel()).square().sum(1)
        ),
    ),
)

EQUIVALENT = (
    Mistake("integrate", "the solver's own tableau, the trace by the estimator", _solved(_minus_divergence)),
    Mistake(
        "log_prob",
        "torch's own normal density",
        _density(
            lambda x, z, delta: (
                torch.distributions.Normal(0.0, 1.0).log_prob(z).reshape(len(z), z.shape[1:].numel()).sum(1) - delta
            )
        ),
    ),
    Mistake("kinetic_energy", "solved next to the place", _energy(_squares)),
)
