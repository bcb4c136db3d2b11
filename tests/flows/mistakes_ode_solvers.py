"""Wrong forms of solvers of ordinary differential equations that the rows must refuse, and right forms that they must accept."""

import torch

from practice_torch.flows import ode_solvers as right
from tests.support.mistakes import Mistake


def _step(advance, of="euler_step"):
    """advance(x, t, h, v) of a step, after the checks of the right one."""

    def wrong(x, time, step_size, velocity_fn):
        getattr(right, of)(x, time, step_size, velocity_fn)
        return advance(x, time, step_size, velocity_fn)

    return wrong


def _classical(x, t, h, v, third=0.5, weights=(1, 2, 2, 1)):
    a = v(x, t)
    b = v(x + h / 2 * a, t + h / 2)
    c = v(x + h / 2 * b, t + third * h)
    d = v(x + h * c, t + h)
    return x + h * sum(w * k for w, k in zip(weights, (a, b, c, d), strict=True)) / sum(weights)


def _three_eighths(x, t, h, v):
    """Kutta's other method of order four."""
    a = v(x, t)
    b = v(x + h * a / 3, t + h / 3)
    c = v(x + h * (b - a / 3), t + 2 * h / 3)
    return x + h / 8 * (a + 3 * b + 3 * c + v(x + h * (a - b + c), t + h))


def _heun(x, t, h, v):
    first = v(x, t)
    return x + h / 2 * (first + v(x + h * first, t + h))


def _of_dormand_prince(change):
    def wrong(x, time, step_size, velocity_fn):
        return change(*right.dormand_prince_step(x, time, step_size, velocity_fn))

    return wrong


def _ratio(of):
    def wrong(error, x_before, x_after, *, rtol, atol):
        right.error_ratio(error, x_before, x_after, rtol=rtol, atol=atol)  # for its checks
        return of(error, x_before.abs(), x_after.abs(), rtol, atol)

    return wrong


def _size(change):
    def wrong(step_size, ratio, *, order=5, safety=0.9, min_factor=0.2, max_factor=10.0):
        settings = {"safety": safety, "min_factor": min_factor, "max_factor": max_factor}
        right.next_step_size(step_size, ratio, order=order, **settings)  # for its checks
        return change(step_size, ratio, order=order, **settings)

    return wrong


def _bounded(step_size, ratio, exponent, *, safety, min_factor, max_factor):
    return step_size * (safety * ratio.clamp(1e-30, 1e30) ** exponent).clamp(min_factor, max_factor)


def _fixed(change):
    def wrong(x, times, velocity_fn, *, method="runge_kutta_4"):
        right.solve_fixed(x, times, velocity_fn, method=method)  # for its checks
        return change(x, times, velocity_fn, method)

    return wrong


def _adaptive(accept=lambda ratio: ratio <= 1, way=1.0, stale=False, overshoot=False):
    """The solver once more, with a fault."""

    def wrong(x, time_start, time_end, velocity_fn, *, rtol=1e-6, atol=1e-6, initial_step=0.05, max_steps=1000):
        tolerances = {"rtol": rtol, "atol": atol}
        right.solve_adaptive(x, time_start, time_end, velocity_fn, **tolerances, initial_step=initial_step, max_steps=max_steps)
        time, end, size = (torch.as_tensor(n, dtype=x.dtype) for n in (time_start, time_end, initial_step))
        toward = torch.sign(end - time).detach() * way
        for _ in range(max_steps):
            left = (end - time) * way
            if (left * toward <= 0).item():
                break
            step = left if (size >= left.abs()).item() and not overshoot else toward * size
            after, error = right.dormand_prince_step(x, time_start if stale else time, step, velocity_fn)
            with torch.no_grad():
                ratio = right.error_ratio(error, x, after, **tolerances)
                size = right.next_step_size(step.abs(), ratio)
            if accept(ratio):
                x, time = after, time + step * way
        return x

    return wrong


def _detached(x, time_start, time_end, velocity_fn, **settings):
    return right.solve_adaptive(x, time_start, time_end, velocity_fn, **settings).detach() + 0 * x


def _unreached(x, time_start, time_end, velocity_fn, *, max_steps=1000, **settings):
    if max_steps < 1:
        raise ValueError(f"max_steps is {max_steps}; it must be at least 1")
    return right.solve_adaptive(x, time_start, time_end, velocity_fn, max_steps=10_000, **settings)


MISTAKES = (
    Mistake("euler_step", "the velocity at the end's time", _step(lambda x, t, h, v: x + h * v(x, t + h))),
    Mistake("midpoint_step", "Euler's", _step(lambda x, t, h, v: x + h * v(x, t), "midpoint_step")),
    Mistake("midpoint_step", "the time of the start", _step(
        lambda x, t, h, v: x + h * v(x + h / 2 * v(x, t), t), "midpoint_step")),
    Mistake("midpoint_step", "Heun's", _step(_heun, "midpoint_step")),
    Mistake("runge_kutta_4_step", "the third stage at the end", _step(
        lambda x, t, h, v: _classical(x, t, h, v, third=1.0), "runge_kutta_4_step")),
    Mistake("runge_kutta_4_step", "equal weights", _step(
        lambda x, t, h, v: _classical(x, t, h, v, weights=(1, 1, 1, 1)), "runge_kutta_4_step")),
    Mistake("runge_kutta_4_step", "the rule of three eighths", _step(_three_eighths, "runge_kutta_4_step")),
    Mistake("dormand_prince_step", "the value of order four", _of_dormand_prince(lambda x, error: (x - error, error))),
    Mistake("dormand_prince_step", "the sign of the error", _of_dormand_prince(lambda x, error: (x, -error))),
    Mistake("dormand_prince_step", "the error's size", _of_dormand_prince(lambda x, error: (x, error.abs()))),
    Mistake("error_ratio", "the largest", _ratio(
        lambda e, a, b, rtol, atol: (e / (atol + rtol * torch.maximum(a, b))).abs().max())),
    Mistake("error_ratio", "not rooted", _ratio(
        lambda e, a, b, rtol, atol: (e / (atol + rtol * torch.maximum(a, b))).square().mean())),
    Mistake("error_ratio", "the sum", _ratio(
        lambda e, a, b, rtol, atol: (e / (atol + rtol * torch.maximum(a, b))).norm())),
    Mistake("error_ratio", "relative to the start", _ratio(
        lambda e, a, b, rtol, atol: (e / (atol + rtol * a)).norm() / e.numel() ** 0.5)),
    Mistake("error_ratio", "a root without slope at 0", _ratio(
        lambda e, a, b, rtol, atol: (e / (atol + rtol * torch.maximum(a, b))).square().mean().sqrt())),
    Mistake("next_step_size", "the exponent -order", _size(
        lambda step_size, ratio, order, **given: _bounded(step_size, ratio, -order, **given))),
    Mistake("next_step_size", "the exponent 1/order", _size(
        lambda step_size, ratio, order, **given: _bounded(step_size, ratio, 1 / order, **given))),
    Mistake("next_step_size", "order five always", _size(lambda step_size, ratio, order, **given: right.next_step_size(
        step_size, ratio, **given))),
    Mistake("next_step_size", "without caution", _size(lambda step_size, ratio, safety, **given: right.next_step_size(
        step_size, ratio, safety=1.0, **given))),
    Mistake("next_step_size", "the sign lost", _size(lambda step_size, ratio, **given: right.next_step_size(
        step_size.abs(), ratio, **given))),
    Mistake("next_step_size", "not bounded above", _size(lambda step_size, ratio, max_factor, **given: right.next_step_size(
        step_size, ratio, max_factor=1e3, **given))),
    Mistake("solve_fixed", "the first step's size for all", _fixed(lambda x, times, v, method: right.solve_fixed(
        x, times[0] + (times[1] - times[0]) * torch.arange(len(times)), v, method=method))),
    Mistake("solve_fixed", "the classical method always", _fixed(lambda x, times, v, method: right.solve_fixed(x, times, v))),
    Mistake("solve_fixed", "forward only", _fixed(lambda x, times, v, method: right.solve_fixed(
        x, times.sort().values, v, method=method))),
    Mistake("solve_fixed", "without the last step", _fixed(lambda x, times, v, method: right.solve_fixed(
        x, times[: max(2, len(times) - 1)], v, method=method))),
    Mistake("solve_adaptive", "every step kept", _adaptive(accept=lambda ratio: True)),
    Mistake("solve_adaptive", "a step kept where its error is large", _adaptive(accept=lambda ratio: ratio >= 1)),
    Mistake("solve_adaptive", "the wrong way", _adaptive(way=-1.0)),
    Mistake("solve_adaptive", "the time of the start for all steps", _adaptive(stale=True)),
    Mistake("solve_adaptive", "past the end", _adaptive(overshoot=True)),
    Mistake("solve_adaptive", "no gradient", _detached),
    Mistake("solve_adaptive", "more steps than allowed", _unreached, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("euler_step", "by a fused product", _step(lambda x, t, h, v: torch.addcmul(x, h, v(x, t)))),
    Mistake("runge_kutta_4_step", "written out", _step(_classical, "runge_kutta_4_step")),
    Mistake(
        "error_ratio",
        "the mean of squares, without a root at 0",
        _ratio(lambda e, a, b, rtol, atol: torch.linalg.vector_norm(e / (atol + rtol * torch.maximum(a, b))) * e.numel() ** -0.5),
    ),
    Mistake("solve_adaptive", "the first velocity computed again", _adaptive()),
)
