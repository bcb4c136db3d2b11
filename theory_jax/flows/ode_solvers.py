"""Solvers of ordinary differential equations: explicit Runge-Kutta methods, by steps of a given and of a chosen size.

Every method is a tableau that one loop reads.
"""

from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_same_shape, require_values
from theory_jax.flows._arguments import velocity_at


class _Tableau(NamedTuple):
    """k_i = v(x + h sum_j a_ij k_j, t + h sum_j a_ij), x + h sum_i b_i k_i; compared: other weights b, of one order less."""

    coefficients: tuple
    weights: tuple
    compared: tuple = ()


def _ratios(*words):
    """Rows of rational numbers; the first is empty."""
    return ((), *(tuple(map(Fraction, row.split())) for row in words))


TABLEAUS = {
    "euler": _Tableau(_ratios(), *_ratios("1")[1:]),
    "midpoint": _Tableau(_ratios("1/2"), *_ratios("0 1")[1:]),
    "runge_kutta_4": _Tableau(_ratios("1/2", "0 1/2", "0 0 1"), *_ratios("1/6 1/3 1/3 1/6")[1:]),
    "dormand_prince": _Tableau(
        _ratios(
            "1/5",
            "3/40 9/40",
            "44/45 -56/15 32/9",
            "19372/6561 -25360/2187 64448/6561 -212/729",
            "9017/3168 -355/33 46732/5247 49/176 -5103/18656",
            "35/384 0 500/1113 125/192 -2187/6784 11/84",
        ),
        *_ratios("35/384 0 500/1113 125/192 -2187/6784 11/84 0", "5179/57600 0 7571/16695 393/640 -92097/339200 187/2100 1/40")[
            1:
        ],
    ),
}
METHODS = tuple(TABLEAUS)


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
    require(jnp.size(error) > 0, f"error has shape {list(jnp.shape(error))}; it must have an entry")
    require_positive(atol=atol)
    require_at_least(0, rtol=rtol)
    allowed = atol + rtol * jnp.maximum(jnp.abs(x_before), jnp.abs(x_after))
    square = jnp.mean((error / allowed) ** 2)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)  # the root has no slope at 0


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
    return step_size * safety * jnp.clip(ratio, (safety / max_factor) ** order, (safety / min_factor) ** order) ** (-1 / order)


def solve_fixed(x, times, velocity_fn, *, method="runge_kutta_4"):
    r"""x at the last of the times, with one step of the method between two times, which may fall: the way back.

    method is "euler", "midpoint", "runge_kutta_4" or "dormand_prince". velocity_fn(x, time) -> dx/dt, like x, with time: [].

    Raises ValueError unless times are two or more that rise, or fall, all the way, method is one of these, and velocity_fn
    returns the shape of x.  Source: Hairer, Norsett & Wanner 1993, II.1.
    [...], [N+1] -> [...]
    """
    require_rank(1, times=times)
    require(len(times) > 1, f"times has {len(times)} entries; it must have at least two")
    require_values("times", jnp.diff(times), lambda d: d * np.sign(d[:1]) > 0, "rising, or falling, all the way (shown: a step)")
    require(method in METHODS, f"method is {method!r}; it must be one of {', '.join(METHODS)}")

    def advance(x, ends):
        now, then = ends
        return _step(method, x, now, then - now, velocity_fn), None

    return jax.lax.scan(advance, x, (times[:-1], times[1:]))[0]


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
    start, end = _scalars(x, time_start=time_start, time_end=time_end)
    require(jnp.size(x) > 0, f"x has shape {list(jnp.shape(x))}; it must have an entry")
    require_positive(atol=atol, initial_step=initial_step)
    require_at_least(0, rtol=rtol)
    require_at_least(1, max_steps=max_steps)

    def attempt(state):
        x, time, size, first, _ = state
        last = size >= jnp.abs(end - time)
        step = jnp.where(last, end - time, jnp.sign(end - time) * size)
        after, error, slope = _dormand_prince(x, time, step, velocity_fn, first)
        ratio = jax.lax.stop_gradient(error_ratio(error, x, after, rtol=rtol, atol=atol))
        ratio = jnp.where(jnp.isnan(ratio), jnp.inf, ratio)  # the velocity overflowed
        size = next_step_size(jax.lax.stop_gradient(jnp.abs(step)), ratio)
        kept = ratio <= 1
        x, time, first = (
            jnp.where(kept, new, old) for new, old in ((after, x), (jnp.where(last, end, time + step), time), (slope, first))
        )
        return x, time, size, first, kept & last

    def advance(state, _):
        return jax.lax.cond(state[-1], lambda state: state, jax.checkpoint(attempt), state), None

    begin = (x, start, jnp.asarray(initial_step, x.dtype), velocity_at(x, start, velocity_fn), start == end)
    (x, time, *_, done), _ = jax.lax.scan(advance, begin, length=max_steps)
    stop = f"max_steps is {max_steps}, the steps do not reach the end time: the last time"
    require_values(stop, time, lambda _: np.asarray(done), f"time_end, {time_end} (more steps, or larger rtol and atol)")
    return jnp.where(done, x, jnp.nan)


def _step(method, x, time, step_size, velocity_fn):
    time, step_size = _scalars(x, time=time, step_size=step_size)
    tableau = TABLEAUS[method]
    return _moved(
        x, step_size, tableau.weights, _slopes(tableau, x, time, step_size, velocity_fn, velocity_at(x, time, velocity_fn))
    )


def _dormand_prince(x, time, step_size, velocity_fn, first):
    """The value, its error, and the velocity there, which is the first of the next step."""
    tableau = TABLEAUS["dormand_prince"]
    slopes = _slopes(tableau, x, time, step_size, velocity_fn, first)
    differences = [a - b for a, b in zip(tableau.weights, tableau.compared, strict=True)]
    return _moved(x, step_size, tableau.weights, slopes), _moved(0.0, step_size, differences, slopes), slopes[-1]


def _slopes(tableau, x, time, step_size, velocity_fn, first):
    slopes = [first]
    for row in tableau.coefficients[1:]:
        slopes.append(velocity_at(_moved(x, step_size, row, slopes), time + float(sum(row)) * step_size, velocity_fn))
    return slopes


def _moved(x, step_size, weights, slopes):
    return x + step_size * sum(float(weight) * slope for weight, slope in zip(weights, slopes, strict=True) if weight)


def _scalars(x, **numbers):
    """Numbers without an axis in the dtype of x."""
    require_rank(0, **numbers)
    return [jnp.asarray(number, jnp.result_type(x)) for number in numbers.values()]
