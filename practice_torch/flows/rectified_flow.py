"""Rectified flow: the pairs that a flow makes, on which the next one is trained, and how straight its paths are."""

import torch

from practice_torch.arguments import require, require_batch, require_rank, require_same_shape, require_values
from practice_torch.flows._arguments import velocity_at
from practice_torch.mathematics.levels import as_rows


def reflow_pairs(x0, times, velocity_fn):
    r"""x0 and the place to which Euler's method carries it, one step between two times: the pairs of the next round.

    velocity_fn(x, time) -> the velocity, like x, with time: [B].

    Raises ValueError if x0 has no batch axis, times are not two or more that rise all the way, or velocity_fn does not return
    the shape of x0.  Source: Liu et al. 2023, algorithm 1.
    [B, ...], [N+1] -> [B, ...], [B, ...]
    """
    _require_path(x0, times)
    x = x0
    for time, step in zip(times, times.diff(), strict=False):
        x = torch.addcmul(x, step, velocity_at(x, time.expand(len(x)), velocity_fn))
    return x0, x


def straightness(x0, times, velocity_fn):
    r"""sum_k h_k ||(x_N - x_0)/(t_N - t_0) - v_k||^2 along the path of Euler's method from x0, with velocities v_k, steps h_k.

    It is 0 if and only if the velocity does not change on the path; one step shows nothing. velocity_fn(x, time) -> the
    velocity, like x, with time: [B].

    Raises ValueError if x0 has no batch axis, times are not two or more that rise all the way, or velocity_fn does not return
    the shape of x0.  Source: Liu et al. 2023, section 3.
    [B, ...], [N+1] -> [B]
    """
    _require_path(x0, times)
    x, mean, total = x0, torch.zeros_like(x0), 0.0
    for time, step, passed in zip(times, times.diff(), times[1:] - times[0], strict=False):
        velocity = velocity_at(x, time.expand(len(x)), velocity_fn)
        away = velocity - mean  # West's update of a weighted variance: no velocity is kept
        mean = torch.addcmul(mean, step / passed, away)
        total = total + step * as_rows(away * (velocity - mean)).sum(1)
        x = torch.addcmul(x, step, velocity)
    return total


def transport_cost(x0, x1):
    r"""||x1 - x0||^2, summed over all axes but the first.

    Raises ValueError if x0 has no batch axis or the shapes differ.  Source: Villani 2003; Liu et al. 2023, section 3.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(x0=x0)
    require_same_shape(x0=x0, x1=x1)
    return as_rows(x1 - x0).square().sum(1)


def _require_path(x0, times):
    require_batch(x0=x0)
    require_rank(1, times=times)
    require(len(times) > 1, f"times has {len(times)} entries; it must have at least two")
    require_values("times", times.diff(), lambda d: d > 0, "rising all the way, from noise to data (shown: a step)")
