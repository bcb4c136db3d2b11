"""Wrong forms of adjoint gradients that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.flows import adjoint as right
from practice_torch.flows.ode_solvers import runge_kutta_4_step, solve_fixed
from tests.support.mistakes import Mistake


def _changed(change):
    """change(end, by_x, by_parameters, x) of the right result."""

    def wrong(x, cotangent, parameters, times, velocity_fn):
        return change(*right.adjoint_gradients(x, cotangent, parameters, times, velocity_fn), x)

    return wrong


def _backward(rates, method="runge_kutta_4", start=lambda end, x: end):
    """The backward solution once more; rates(place, adjoint, velocity, pull, push) -> the three rates.

    pull: the products with the transposed Jacobians. push: that of the Jacobian in the place itself.
    """

    def wrong(x, cotangent, parameters, times, velocity_fn):
        end, *_ = right.adjoint_gradients(x, cotangent, parameters, times, velocity_fn)  # for its checks
        sizes = x.numel(), x.numel(), parameters.numel()

        def together(state, time):
            place, adjoint = (part.view(x.shape) for part in state.split(sizes)[:2])
            velocity, pull = torch.func.vjp(lambda x, p: velocity_fn(x, time, p), place, parameters)

            def push(direction):
                return torch.func.jvp(lambda x: velocity_fn(x, time, parameters), (place,), (direction,))[1]

            return torch.cat([part.flatten() for part in rates(adjoint, velocity, pull, push)])

        state = torch.cat([start(end, x).flatten(), cotangent.flatten(), torch.zeros_like(parameters)])
        _, by_x, by_parameters = solve_fixed(state, times.flip(0), together, method=method).split(sizes)
        return end, by_x.view(x.shape), by_parameters

    return wrong


def _right(adjoint, velocity, pull, push):
    by_x, by_parameters = pull(adjoint)
    return velocity, -by_x, -by_parameters


def _not_transposed(adjoint, velocity, pull, push):
    return velocity, -push(adjoint), -pull(adjoint)[1]


def _growing(adjoint, velocity, pull, push):
    by_x, by_parameters = pull(adjoint)
    return velocity, by_x, -by_parameters


def _still(adjoint, velocity, pull, push):
    by_x, by_parameters = pull(adjoint)
    return 0 * velocity, -by_x, -by_parameters


def _through_the_steps(x, cotangent, parameters, times, velocity_fn):
    """Backpropagation, which stores every stage."""
    right.adjoint_gradients(x, cotangent, parameters, times, velocity_fn)  # for its checks
    end, pull = torch.func.vjp(
        lambda x, parameters: solve_fixed(x, times, lambda x, time: velocity_fn(x, time, parameters)), x, parameters
    )
    return end, *pull(cotangent)


def _at_the_end(x, cotangent, parameters, times, velocity_fn):
    """The effect of the parameters at the end, for the whole time."""
    end, by_x, _ = right.adjoint_gradients(x, cotangent, parameters, times, velocity_fn)
    _, pull = torch.func.vjp(lambda parameters: velocity_fn(end, times[-1], parameters), parameters)
    return end, by_x, (times[-1] - times[0]) * pull(cotangent)[0]


def _step_by_step(x, cotangent, parameters, times, velocity_fn):
    """One step after the other, with a state for each example."""
    end, *_ = right.adjoint_gradients(x, cotangent, parameters, times, velocity_fn)  # for its checks
    size, state = x.shape[1], torch.cat([end, cotangent, x.new_zeros(len(x), parameters.numel())], 1)

    def rates(state, time):
        place, adjoint = state[:, :size], state[:, size : 2 * size]
        copies = parameters.expand(len(x), -1)
        velocity = velocity_fn(place, time, parameters)
        if len(x) == 0:
            return torch.zeros_like(state)
        rows = [
            torch.func.vjp(lambda p, b=b: velocity_fn(place[b : b + 1], time, p), copies[b])[1](adjoint[b : b + 1])[0]
            for b in range(len(x))
        ]
        _, pull = torch.func.vjp(lambda x: velocity_fn(x, time, parameters), place)
        return torch.cat([velocity, -pull(adjoint)[0], -torch.stack(rows)], 1)

    for then, now in zip(times.flip(0)[1:], times.flip(0)[:-1], strict=True):
        state = runge_kutta_4_step(state, now, then - now, rates)
    return end, state[:, size : 2 * size], state[:, 2 * size :].sum(0)


MISTAKES = (
    Mistake(
        "adjoint_gradients",
        "the sign of the parameters' gradient",
        _changed(lambda end, by_x, by_parameters, x: (end, by_x, -by_parameters)),
    ),
    Mistake(
        "adjoint_gradients",
        "the mean over the examples",
        _changed(lambda end, by_x, by_parameters, x: (end, by_x, by_parameters / max(1, len(x)))),
    ),
    Mistake(
        "adjoint_gradients",
        "the start for the end",
        _changed(lambda end, by_x, by_parameters, x: (x + 0 * end, by_x, by_parameters)),
    ),
    Mistake("adjoint_gradients", "the sign of the adjoint's rate", _backward(_growing)),
    Mistake("adjoint_gradients", "the Jacobian not transposed", _backward(_not_transposed)),
    Mistake("adjoint_gradients", "the state followed back from the start", _backward(_right, start=lambda end, x: x)),
    Mistake("adjoint_gradients", "the state kept at the end", _backward(_still)),
    Mistake("adjoint_gradients", "Euler's steps", _backward(_right, method="euler")),
    Mistake("adjoint_gradients", "through the steps", _through_the_steps),
    Mistake("adjoint_gradients", "the parameters at the end alone", _at_the_end),
)

EQUIVALENT = (
    Mistake("adjoint_gradients", "the products one after the other", _backward(_right)),
    Mistake("adjoint_gradients", "a gradient of the parameters for each example, then the sum", _step_by_step),
)
