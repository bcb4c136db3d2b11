"""The probability flow: the ordinary equation with a diffusion's densities, its solution, and exact log-densities."""

import math

import torch

from practice_torch.arguments import require, require_one_each, require_rank, require_same_shape, require_values
from practice_torch.levels import as_rows, per_example


def probability_flow_drift(score, drift, diffusion):
    r"""f - g^2/2 grad log p: the velocity of the ordinary equation that has the densities of dx = f dt + g dw.

    Raises ValueError if the shapes of score and drift differ, or diffusion has not one entry for each example.
    Source: Song et al. 2021, eq. 13.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(score=score, drift=drift)
    require_one_each(score, diffusion=diffusion)
    return torch.addcmul(drift, per_example(diffusion.square(), score), score, value=-0.5)


def solve(x, times, drift_fn):
    r"""x at the last of the times, by the classical Runge-Kutta method (order four) with one step between two times.

    drift_fn(x, time) -> dx/dt, like x, with time: [B]. Times may fall: the way back.

    Raises ValueError unless times are two or more that rise, or fall, all the way, and drift_fn returns the shape of x.
    Source: Kutta 1901; Song et al. 2021, section 4.3.
    [B, ...], [N+1] -> [B, ...]
    """
    _require_times(times)
    return _runge_kutta((x,), times, lambda state, time: (_velocity(*state, time, drift_fn),))[0]


def log_prob(x, probes, times, drift_fn):
    r"""log N(x(t_N); 0, I) + int_t0^tN div drift dt, nats: the log-density at x of the flow that ends in standard normal noise.

    The divergence is the mean of e^T J e over the P probes e of each example, the same at all times; it is exact for probes
    sqrt(D) times the unit vectors, and unbiased for probes of mean zero and covariance I. The integral is solved with the state.

    Raises ValueError unless probes holds one or more of the shape of x, times are two or more that rise, or fall, all the way,
    and drift_fn returns the shape of x.  Source: Chen et al. 2018, theorem 1; Song et al. 2021, eq. 39.
    [B, ...], [P, B, ...], [N+1] -> [B]
    """
    _require_times(times)
    wanted, given = list(x.shape), list(probes.shape)
    held = len(given) > 0 and given[0] > 0 and given[1:] == wanted
    require(held, f"probes has shape {given}; it must hold one or more of {wanted}")

    def rates(state, time):
        velocity, pull = torch.func.vjp(lambda x: _velocity(x, time, drift_fn), state[0])
        traces = [(as_rows(probe) * as_rows(pull(probe)[0])).sum(dim=1) for probe in probes]
        return velocity, torch.stack(traces).mean(dim=0)

    ends, gained = _runge_kutta((x, as_rows(x).new_zeros(len(x))), times, rates)
    rows = as_rows(ends)
    return gained - rows.square().sum(dim=1) / 2 - rows.shape[1] / 2 * math.log(2 * math.pi)


def _runge_kutta(state, times, rates):
    for now, then in zip(times, times[1:], strict=False):
        step, half = then - now, (now + then) / 2
        at = [time.to(state[0].dtype).expand(len(state[0])) for time in (now, half, then)]
        first = rates(state, at[0])
        second = rates(_moved(state, first, step / 2), at[1])
        third = rates(_moved(state, second, step / 2), at[1])
        fourth = rates(_moved(state, third, step), at[2])
        mean = [(a + 2 * (b + c) + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)]
        state = _moved(state, mean, step)
    return state


def _moved(state, rates, step):
    return tuple(part + step.to(part.dtype) * rate for part, rate in zip(state, rates, strict=True))


def _velocity(x, time, drift_fn):
    velocity = drift_fn(x, time)
    found, wanted = list(velocity.shape), list(x.shape)
    require(found == wanted, f"drift_fn returned shape {found}; it must return that of x, {wanted}")
    return velocity


def _require_times(times):
    require_rank(1, times=times)
    require(len(times) > 1, f"times has {len(times)} entries; it must have at least two")
    require_values("times", times.diff(), lambda d: d * d[:1].sign() > 0, "rising, or falling, all the way (shown: a step)")
