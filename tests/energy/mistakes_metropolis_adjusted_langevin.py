"""Wrong forms of Metropolis-adjusted Langevin sampling that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.energy import metropolis_adjusted_langevin as right
from practice_torch.energy._slopes import energy_and_slope, slope
from tests.support.mistakes import Mistake


def _squares(x):
    return x.square().unsqueeze(-1).flatten(1).sum(1)


def _proposal(sign=1.0, variance=2.0, constant=1.0):
    def wrong(y, x, gradient, *, step_size):
        right.proposal_log_prob(y, x, gradient, step_size=step_size)  # for its checks
        of_step, size = variance * step_size, x.shape[1:].numel()
        away = _squares(y - x + sign * step_size * gradient)
        return -away / (2 * of_step) - constant * size / 2 * math.log(2 * math.pi * of_step)

    return wrong


def _ratio(of_parts):
    """of_parts(E(x) - E(y), log q(x | y), log q(y | x), step_size, x, y, slope at x)."""

    def wrong(x, y, energy_fn, *, step_size):
        right.acceptance_log_ratio(x, y, energy_fn, step_size=step_size)  # for its checks
        (energy_x, slope_x), (energy_y, slope_y) = (energy_and_slope(energy_fn, z) for z in (x, y))
        back = right.proposal_log_prob(x, y, slope_y, step_size=step_size)
        forth = right.proposal_log_prob(y, x, slope_x, step_size=step_size)
        return of_parts(energy_x - energy_y, back, forth, step_size, x, y, slope_x)

    return wrong


def _slope_of_x_for_both(energies, back, forth, step_size, x, y, slope_x):
    return energies + right.proposal_log_prob(x, y, slope_x, step_size=step_size) - forth


def _step(accepts=lambda u, log_ratio: u.log() < log_ratio, noise_variance=2.0, mix=torch.where):
    def wrong(x, noise, uniforms, energy_fn, *, step_size):
        right.step(x, noise, uniforms, energy_fn, step_size=step_size)  # for its checks
        y = x - step_size * slope(energy_fn, x) + math.sqrt(noise_variance * step_size) * noise
        accepted = accepts(uniforms, right.acceptance_log_ratio(x, y, energy_fn, step_size=step_size))
        return mix(accepted.reshape(-1, *[1] * (x.ndim - 1)), y, x), accepted

    return wrong


def _by_coordinate(accepted, y, x):
    """A rejected example keeps its first coordinate alone."""
    first = torch.arange(x.shape[-1]) == 0
    return torch.where(accepted | ~first, y, x)


def _matrix(of_parts):
    """of_parts(q, ratio p_j / p_i) -> the moves, with the diagonal filled."""

    def wrong(log_probs, proposal):
        right.metropolis_matrix(log_probs, proposal)  # for its checks
        moves = of_parts(proposal, (log_probs - log_probs[:, None]).exp())
        moves = moves - torch.diag(moves.diagonal())
        return moves + torch.diag(1 - moves.sum(1))

    return wrong


def _lost(log_probs, proposal):
    matrix = right.metropolis_matrix(log_probs, proposal)
    return matrix - torch.diag(matrix.diagonal()) + torch.diag(proposal.diagonal())


MISTAKES = (
    Mistake("proposal_log_prob", "uphill", _proposal(sign=-1.0)),
    Mistake("proposal_log_prob", "a variance of h", _proposal(variance=1.0)),
    Mistake("proposal_log_prob", "no constant", _proposal(constant=0.0)),
    Mistake("proposal_log_prob", "without the slope", _proposal(sign=0.0)),
    Mistake("acceptance_log_ratio", "the proposals exchanged", _ratio(lambda e, back, forth, *_: e + forth - back)),
    Mistake("acceptance_log_ratio", "no proposals", _ratio(lambda e, *_: e)),
    Mistake("acceptance_log_ratio", "the energies exchanged", _ratio(lambda e, back, forth, *_: back - forth - e)),
    Mistake("acceptance_log_ratio", "the slope at x for both", _ratio(_slope_of_x_for_both)),
    Mistake("acceptance_log_ratio", "proposals of variance h", _ratio(lambda e, back, forth, *_: e + 2 * (back - forth))),
    Mistake("acceptance_log_ratio", "at most 0", _ratio(lambda e, back, forth, *_: (e + back - forth).clamp(max=0.0))),
    Mistake(
        "acceptance_log_ratio",
        "by differences that cancel in a short step",
        _ratio(lambda e, back, forth, *_: (e + back) - forth),
    ),
    Mistake("step", "compared with the logarithm", _step(lambda u, log_ratio: u < log_ratio)),
    Mistake("step", "rejected below", _step(lambda u, log_ratio: u.log() > log_ratio)),
    Mistake("step", "always accepted", _step(lambda u, log_ratio: u >= 0)),
    Mistake("step", "one decision for the batch", _step(lambda u, log_ratio: (u.log() < log_ratio.sum()).all().expand(u.shape))),
    Mistake("step", "noise of variance h", _step(noise_variance=1.0)),
    Mistake("step", "half of who is rejected moves", _step(mix=_by_coordinate)),
    Mistake(
        "step", "mixed by products, where 0 times infinity is no number", _step(mix=lambda accepted, y, x: x + accepted * (y - x))
    ),
    Mistake("metropolis_matrix", "the proposal not corrected", _matrix(lambda q, ratio: q * ratio.clamp(max=1.0))),
    Mistake("metropolis_matrix", "the probabilities turned over", _matrix(lambda q, ratio: torch.minimum(q, ratio.mT * q.mT))),
    Mistake("metropolis_matrix", "always accepted", _matrix(lambda q, ratio: q)),
    Mistake(
        "metropolis_matrix", "from columns to rows", lambda log_probs, proposal: right.metropolis_matrix(log_probs, proposal).mT
    ),
    Mistake("metropolis_matrix", "what is rejected is lost", _lost),
    Mistake("metropolis_matrix", "a ratio of zeros", _matrix(lambda q, ratio: q * (ratio * q.mT / q).clamp(max=1.0))),
)

EQUIVALENT = (
    Mistake(
        "proposal_log_prob",
        "the density of a normal law in torch",
        lambda y, x, gradient, *, step_size: (
            right.proposal_log_prob(y, x, gradient, step_size=step_size),
            torch.distributions.Normal(x - step_size * gradient, math.sqrt(2 * step_size)).log_prob(y).flatten(1).sum(1),
        )[1],
    ),
    Mistake("step", "the ratio itself", _step(lambda u, log_ratio: (u < log_ratio.exp()) | (u == 0))),
    Mistake(
        "metropolis_matrix", "logarithms of both flows", _matrix(lambda q, ratio: torch.where(ratio * q.mT < q, ratio * q.mT, q))
    ),
)
