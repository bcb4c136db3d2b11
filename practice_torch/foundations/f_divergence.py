"""f-divergences of batches of distributions, one cell q f(p/q) at a time: a divergence is a row of `_cells`."""

import math

import torch

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.foundations._cells import CELLS, row_of

DIVERGENCES = tuple(CELLS)


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [...] -> [...]
    """
    return row_of(CELLS, divergence, alpha).cell(log_ratio, torch.zeros_like(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [...] -> [...]
    """
    return row_of(CELLS, divergence, alpha).derivative(log_ratio)


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row of log_probs_p or log_probs_q does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = row_of(CELLS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    no_p, no_q = log_probs_p.isneginf(), log_probs_q.isneginf()
    outside = no_p | no_q
    # Cells outside both supports are filled before they are computed, so that no NaN waits behind the mask for the gradient.
    cells = row.cell(log_probs_p.masked_fill(outside, 0.0), log_probs_q.masked_fill(outside, 0.0)).masked_fill(outside, 0.0)
    for mask, log_weight, value in ((no_p, log_probs_q, row.at_zero), (no_q, log_probs_p, row.slope_at_infinity)):
        if math.isinf(value):
            cells = cells.masked_fill(mask & (log_weight > -math.inf), math.inf)
        else:
            cells = cells + value * log_weight.masked_fill(~mask, -math.inf).exp()
    return cells.sum(-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of log_channel is not the number of probabilities, or if a row of log_probs or
    log_channel does not sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = log_probs.shape[1], log_channel.shape[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = log_probs[:, None, :] + log_channel.T
    unreachable = joint.isneginf().all(-1)
    return torch.logsumexp(joint.masked_fill(unreachable[..., None], 0.0), -1).masked_fill(unreachable, -math.inf)
