"""Solvers of ordinary differential equations: explicit Runge-Kutta methods, by steps of a given and of a chosen size."""

from typing import NamedTuple

import torch

from practice_torch.arguments import require, require_at_least, require_positive, require_rank, require_same_shape, require_values
from practice_torch.flows._arguments import velocity_at


class _Tableau(NamedTuple):
    """A Runge-Kutta tableau: nodes and rows of the later stages, and the weights of all stages.

    error: the weights minus those of the embedded method of one order less.
    """

    nodes: tuple
    rows: tuple
    weights: tuple
    error: tuple = ()


_DORMAND_PRINCE = _Tableau(
    nodes=(1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    rows=(
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
    error=(71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)
_TABLEAUS = {
    "euler": _Tableau((), (), (1.0,)),
    "midpoint": _Tableau((1 / 2,), ((1 / 2,),), (0.0, 1.0)),
    "runge_kutta_4": _Tableau((1 / 2, 1 / 2, 1.0), ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "dormand_prince": _DORMAND_PRINCE,
}
METHODS = tuple(_TABLEAUS)


def euler_step(x, time, step_size, velocity_fn):
    r"""x + h v(x, t) with h = step_size, which may be negative: order one.

    velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError if time or step_size has an axis, or velocity_fn does not return the shape of x.  Source: Euler 1768.
    [...], [], [] -> [...]
    """
    return _step("euler", x, time, step_size, velocity_fn)


def midpoint_step(x, time, step_size, velocity_fn):
    r"""x + h v(x + h/2 v(x, t), t + h/2) with h = step_size: order two.

    velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError if time or step_size has an axis, or velocity_fn does not return the shape of x.  Source: Runge 1895.
    [...], [], [] -> [...]
    """
    return _step("midpoint", x, time, step_size, velocity_fn)


def runge_kutta_4_step(x, time, step_size, velocity_fn):
    r"""x + h (k1 + 2 k2 + 2 k3 + k4)/6 with h = step_size: velocities at the start, twice in the middle, at the end. Order four.

    velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError if time or step_size has an axis, or velocity_fn does not return the shape of x.  Source: Kutta 1901.
    [...], [], [] -> [...]
    """
    return _step("runge_kutta_4", x, time, step_size, velocity_fn)


def dormand_prince_step(x, time, step_size, velocity_fn):
    r"""The value of order five after a step h, and its difference from a value of order four from the same seven velocities.

    velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError if time or step_size has an axis, or velocity_fn does not return the shape of x.
    Source: Dormand & Prince 1980, table 2.
    [...], [], [] -> [...], [...]
    """
    time, step_size = _scalars(x, time=time, step_size=step_size)
    return _dormand_prince(x, time, step_size, velocity_fn, velocity_at(x, time, velocity_fn))[:2]


def error_ratio(error, x_before, x_after, *, rtol, atol):
    r"""sqrt(mean (error / (atol + rtol max(|x_before|, |x_after|)))^2), the mean over all entries: at most 1 if a step may stay.

    Raises ValueError unless the shapes are equal, error has an entry, atol is positive and rtol is not negative.
    Source: Hairer, Norsett & Wanner 1993, II.4, eq. 4.10 and 4.11.
    [...], [...], [...] -> []
    """
    require_same_shape(error=error, x_before=x_before, x_after=x_after)
    require(error.numel() > 0, f"error has shape {list(error.shape)}; it must have an entry")
    require_positive(atol=atol)
    require_at_least(0, rtol=rtol)
    scaled = error / (atol + rtol * torch.maximum(x_before.abs(), x_after.abs()))
    return torch.linalg.vector_norm(scaled) / error.numel() ** 0.5


def next_step_size(step_size, ratio, *, order=5, safety=0.9, min_factor=0.2, max_factor=10.0):
    r"""step_size min(max_factor, max(min_factor, safety ratio^(-1/order))): the size at which the error ratio would be about 1.

    order is that of the error in the step's size. The sign of step_size stays.

    Raises ValueError if step_size or ratio has an axis, ratio is negative, order is below 1, safety or min_factor is not
    positive, or max_factor is below min_factor.  Source: Hairer, Norsett & Wanner 1993, II.4, eq. 4.13.
    [], [] -> []
    """
    require_rank(0, step_size=step_size, ratio=ratio)
    require_values("ratio", ratio, lambda ratio: ratio >= 0, "at least 0")
    require_at_least(1, order=order)
    require_positive(safety=safety, min_factor=min_factor)
    require(max_factor >= min_factor, f"max_factor is {max_factor}; it must not be below min_factor, {min_factor}")
    # bounds of the ratio, not of the factor: the power has no slope at 0
    bounded = ratio.clamp((safety / max_factor) ** order, (safety / min_factor) ** order)
    return step_size * (safety * bounded ** (-1 / order))


def solve_fixed(x, times, velocity_fn, *, method="runge_kutta_4"):
    r"""x at the last of the times, with one step of the method between two times, which may fall: the way back.

    method is "euler", "midpoint", "runge_kutta_4" or "dormand_prince". velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError unless times are two or more that rise, or fall, all the way, method is one of these, and velocity_fn
    returns the shape of x.  Source: Hairer, Norsett & Wanner 1993, II.1.
    [...], [N+1] -> [...]
    """
    require_rank(1, times=times)
    require(len(times) > 1, f"times has {len(times)} entries; it must have at least two")
    require_values("times", times.diff(), lambda d: d * d[:1].sign() > 0, "rising, or falling, all the way (shown: a step)")
    require(method in METHODS, f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    for time, step in zip(times, times.diff(), strict=False):
        x = _step(method, x, time, step, velocity_fn)
    return x


def solve_adaptive(x, time_start, time_end, velocity_fn, *, rtol=1e-6, atol=1e-6, initial_step=0.05, max_steps=1000):
    r"""x at time_end, by Dormand and Prince's steps of a size that keeps every step's error_ratio at 1 or below.

    A step with a larger ratio is taken again with a smaller size. All entries share their steps. Gradients hold the chosen sizes
    constant; the last step ends at time_end. velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError if x has no entry, time_start or time_end has an axis, atol or initial_step is not positive, rtol is
    negative, max_steps is below 1 or its steps, with those taken again, do not reach the end time, or velocity_fn does not
    return the shape of x. Where values are not read, the result of steps that do not reach the end time is NaN.
    Source: Dormand & Prince 1980; Hairer, Norsett & Wanner 1993, II.4.
    [...], [], [] -> [...]
    """
    time, end = _scalars(x, time_start=time_start, time_end=time_end)
    require(x.numel() > 0, f"x has shape {list(x.shape)}; it must have an entry")
    require_positive(atol=atol, initial_step=initial_step)
    require_at_least(0, rtol=rtol)
    require_at_least(1, max_steps=max_steps)
    first, size, done = velocity_at(x, time, velocity_fn), time.new_tensor(initial_step), bool(time == end)
    for _ in range(max_steps):
        if done:
            return x
        left = end - time
        last = bool(size >= left.detach().abs())
        step = left if last else left.detach().sign() * size
        after, error, slope = _dormand_prince(x, time, step, velocity_fn, first)
        with torch.no_grad():
            ratio = error_ratio(error, x, after, rtol=rtol, atol=atol).nan_to_num(nan=torch.inf)  # NaN: the velocity overflowed
            size = next_step_size(step.abs(), ratio)
        if ratio <= 1:
            x, time, first, done = after, end if last else time + step, slope, last
    stop = f"max_steps is {max_steps}, the steps do not reach the end time: the last time is {time.item()}"
    require(done, f"{stop}; it must be time_end, {end.item()} (more steps, or larger rtol and atol)")
    return x


def _step(method, x, time, step_size, velocity_fn):
    time, step_size = _scalars(x, time=time, step_size=step_size)
    tableau = _TABLEAUS[method]
    return _moved(
        x, step_size, tableau.weights, _slopes(tableau, x, time, step_size, velocity_fn, velocity_at(x, time, velocity_fn))
    )


def _dormand_prince(x, time, step_size, velocity_fn, first):
    """The value, its error, and the velocity there, which is the first of the next step."""
    slopes = _slopes(_DORMAND_PRINCE, x, time, step_size, velocity_fn, first)
    return _moved(x, step_size, _DORMAND_PRINCE.weights, slopes), step_size * _mean(_DORMAND_PRINCE.error, slopes), slopes[-1]


def _slopes(tableau, x, time, step_size, velocity_fn, first):
    slopes = [first]
    for node, row in zip(tableau.nodes, tableau.rows, strict=True):
        slopes.append(velocity_at(_moved(x, step_size, row, slopes), time + node * step_size, velocity_fn))
    return slopes


def _moved(x, step_size, weights, slopes):
    return torch.addcmul(x, step_size, _mean(weights, slopes))


def _mean(weights, slopes):
    """The weighted sum, without the velocities of weight 0."""
    (weight, slope), *others = ((weight, slope) for weight, slope in zip(weights, slopes, strict=True) if weight)
    total = weight * slope
    for weight, slope in others:
        total = torch.add(total, slope, alpha=weight)
    return total


def _scalars(x, **numbers):
    """Numbers without an axis, as tensors in the dtype and on the device of x."""
    tensors = {name: torch.as_tensor(number, dtype=x.dtype, device=x.device) for name, number in numbers.items()}
    require_rank(0, **tensors)
    return tensors.values()
