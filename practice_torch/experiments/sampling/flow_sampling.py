"""Sampling with a trained velocity: noise at time 0 is carried to data at time 1, and data back, for their log-density."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.flows.continuous_flow import log_prob
from practice_torch.flows.ode_solvers import METHODS, solve_fixed


@dataclass(frozen=True)
class Solving(Bounded):
    """Options of sampling."""

    method: Literal[METHODS] = "midpoint"
    """Method of a step; they need 1, 2, 4 and 7 network evaluations."""
    steps: Annotated[int, AtLeast(1)] = 10
    """Number of steps of equal length."""


@torch.no_grad()
def carried(velocity_fn, noise, how):
    """The ends [B, ...] of the paths from noise [B, ...]; velocity_fn(x, time: [B])."""
    times = torch.linspace(0, 1, how.steps + 1, device=noise.device, dtype=noise.dtype)
    return solve_fixed(noise, times, lambda x, time: velocity_fn(x, time.expand(len(x))), method=how.method)


def log_density(velocity_fn, points, *, steps):
    """log p of points [B, D] in nats, with the exact trace, by `steps` steps of the Runge-Kutta method; velocity_fn as above."""
    size = points.shape[1]
    axes = size**0.5 * torch.eye(size, dtype=points.dtype, device=points.device)
    times = torch.linspace(1, 0, steps + 1, device=points.device, dtype=points.dtype)
    probes = axes.unsqueeze(1).expand(size, *points.shape)
    return log_prob(points, probes, times, lambda x, time: velocity_fn(x, time.expand(len(x))))
