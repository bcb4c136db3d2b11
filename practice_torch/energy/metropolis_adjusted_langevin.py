"""Metropolis-adjusted Langevin sampling: a Langevin step that is taken back with the chance that makes its law exact."""

import math

import torch

from practice_torch.arguments import (
    require_batch,
    require_log_probs,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
    require_values,
)
from practice_torch.energy._slopes import energy_and_slope
from practice_torch.mathematics.levels import as_rows


def proposal_log_prob(y, x, gradient, *, step_size):
    r"""log N(y; x - h grad E(x), 2 h I), in nats, of the Langevin step from x to y; h = step_size, gradient = grad E(x).

    Raises ValueError if the shapes differ, or step_size is not positive.  Source: Roberts & Tweedie 1996, section 1.4.
    [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_positive(step_size=step_size)
    _require_one_batch(y=y, x=x, gradient=gradient)
    away = as_rows(torch.add(y - x, gradient, alpha=step_size))
    return -away.square().sum(1) / (4 * step_size) - away.shape[1] / 2 * math.log(4 * math.pi * step_size)


def acceptance_log_ratio(x, y, energy_fn, *, step_size):
    r"""log r = E(x) - E(y) + log q(x | y) - log q(y | x), where q(y | x) = N(y; x - h grad E(x), 2 h I), h = step_size.

    In this order nothing large cancels:  E(x) - E(y) - 1/2 (x - y).(grad E(x) + grad E(y)) + h/4 (|grad E(x)|^2 - |grad E(y)|^2)

    energy_fn([B, ...]) -> [B] treats every example by itself.

    Raises ValueError if the shapes of x and y differ, step_size is not positive, or energy_fn does not return one energy for each
    example.  Source: Besag 1994; Roberts & Tweedie 1996, section 1.4.
    [B, ...], [B, ...] -> [B]
    """
    require_positive(step_size=step_size)
    _require_one_batch(x=x, y=y)
    return _log_ratio((x, *energy_and_slope(energy_fn, x)), (y, *energy_and_slope(energy_fn, y)), step_size)


def step(x, noise, uniforms, energy_fn, *, step_size):
    r"""y = x - h grad E(x) + sqrt(2 h) noise where u < r, and x elsewhere; and whether y is accepted. h = step_size.

    u = uniforms, and r is that of acceptance_log_ratio. energy_fn([B, ...]) -> [B] treats every example by itself. Chains leave
    the law e^-E / Z invariant for every h. A rejected move repeats the state. A y whose log r is not a number is rejected.

    Raises ValueError if x and noise differ in shape, uniforms does not hold a number in [0, 1] for each example, step_size is not
    positive, or energy_fn does not return one energy for each example.  Source: Besag 1994; Roberts & Tweedie 1996, section 1.4.
    [B, ...], [B, ...], [B] -> [B, ...], [B]
    """
    require_positive(step_size=step_size)
    _require_one_batch(x=x, noise=noise)
    require_one_each(x, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    here = energy_and_slope(energy_fn, x)
    y = x.sub(here[1], alpha=step_size).add(noise, alpha=math.sqrt(2 * step_size))
    accepted = uniforms.log() < _log_ratio((x, *here), (y, *energy_and_slope(energy_fn, y)), step_size)
    return torch.where(accepted.reshape(-1, *[1] * (x.ndim - 1)), y, x), accepted


def metropolis_matrix(log_probs, proposal):
    r"""P_ij = q_ij min(1, p_j q_ji / (p_i q_ij)) for i != j, and P_ii = 1 - sum_j P_ij: moves from i to j that q proposes.

    p = e^log_probs is stationary, in detailed balance.

    Raises ValueError if proposal is not [K, K] for log_probs of K states, log_probs does not sum to one or has a state of
    probability 0, or proposal has a row that does not sum to one or a negative entry.
    Source: Metropolis et al. 1953; Hastings 1970.
    [K], [K, K] -> [K, K]
    """
    require_rank(1, log_probs=log_probs)
    count = len(log_probs)
    require_shape((count, count), proposal=proposal)
    require_values("log_probs", log_probs, torch.isfinite, "finite: every state has a probability above 0")
    require_log_probs(log_probs=log_probs)
    rows = lambda q: (q >= 0) & ((q.sum(1, keepdim=True) - 1).abs() <= 1e-5)  # noqa: E731
    require_values("proposal", proposal, rows, "of a row of probabilities that sum to one")
    back = (log_probs - log_probs[:, None]).exp() * proposal.mT
    diagonal = torch.eye(count, dtype=torch.bool, device=back.device)
    moves = torch.minimum(proposal, back).masked_fill(diagonal, 0.0)
    return moves + torch.diag(1 - moves.sum(1))


def _log_ratio(at_x, at_y, step_size):
    (x, energy_x, slope_x), (y, energy_y, slope_y) = at_x, at_y
    trapezoid = as_rows((x - y) * (slope_x + slope_y)).sum(1) / 2
    lengths = as_rows((slope_x - slope_y) * (slope_x + slope_y)).sum(1)
    return energy_x - energy_y - trapezoid + step_size / 4 * lengths


def _require_one_batch(**arrays):
    """All arrays have one shape, with the batch as first axis."""
    first, array = next(iter(arrays.items()))
    require_batch(**{first: array})
    require_same_shape(**arrays)
