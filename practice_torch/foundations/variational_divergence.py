"""Variational divergence: bounds on f-divergences from a critic's values on samples, and the density ratio the critic holds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.foundations._cells import CELLS, row_of
from practice_torch.foundations._wright import log_ratio
from practice_torch.foundations.f_divergence import f_divergence
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate
from practice_torch.foundations.jensen import log_mean_exp


def variational_lower_bound(critic_p, critic_q, *, divergence, alpha=None):
    r"""mean T(x_p) - mean f*(T(x_q)), from samples x_p of p and x_q of q; -inf where a T(x_q) is outside the domain of f*.

    An unbiased estimate of E_p T - E_q f*(T) <= D_f(p || q): the reduction is inherent, and the sample sizes may differ.
    Raises ValueError for an empty sample critic_p or critic_q, an unknown divergence or an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, eq. 4.
    [N], [M] -> []
    """
    _require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - fenchel_conjugate(critic_q, divergence=divergence, alpha=alpha).mean()


def exact_variational_bound(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k p_k T_k - q_k f*(T_k): E_p T - E_q f*(T) <= D_f(p || q) over a finite space; -inf where T leaves the domain of f*.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.  Source: Nowozin et al. 2016, eq. 4.
    [B, K], [B, K], [B, K] -> [B]
    """
    _require_game(log_probs_p, log_probs_q, critic)
    conjugate = fenchel_conjugate(critic, divergence=divergence, alpha=alpha)
    # No critic may leave the domain, not even where q has no mass: the +inf is put in after the weights, which could be 0.
    outside = conjugate == math.inf
    terms = log_probs_p.exp() * critic - log_probs_q.exp() * conjugate.masked_fill(outside, 0.0)
    return terms.masked_fill(outside, -math.inf).sum(dim=-1)


def variational_gap(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k q_k [f*(T_k) - f*(T_opt_k) - u_k (T_k - T_opt_k)] = D_f(p || q) - bound >= 0, with u = p/q, T_opt = f'(u).

    What the critic leaves on the table, computed as that difference: it needs no T_opt where u is 0 or infinite.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010, section II; Banerjee et al. 2005 for Bregman divergences.
    [B, K], [B, K], [B, K] -> [B]
    """
    bound = exact_variational_bound(log_probs_p, log_probs_q, critic, divergence=divergence, alpha=alpha)
    return f_divergence(log_probs_p, log_probs_q, divergence=divergence, alpha=alpha) - bound


def donsker_varadhan_bound(critic_p, critic_q):
    r"""mean T(x_p) - log mean e^T(x_q), from samples x_p of p and x_q of q: a lower bound on KL(p || q) in the limit, nats.

    The logarithm of a mean: biased upwards at every finite sample of q.  Raises ValueError for an empty sample critic_p or
    critic_q.  Source: Donsker & Varadhan 1983; Belghazi et al. 2018, eq. 10.
    [N], [M] -> []
    """
    _require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - log_mean_exp(critic_q.unsqueeze(0)).squeeze(0)


def log_ratio_from_critic(critic, *, divergence, alpha=None):
    r"""log (f*)'(T), the log-ratio log p/q for which the critic T would be the best one.

    -inf where T is below every slope of f (on the flat part of f*), +inf where it is above (outside the domain of f*).

    Raises ValueError for total_variation (its best critic holds only the sign of p - q), for an unknown divergence or an
    alpha it does not take.  Source: Nguyen, Wainwright & Jordan 2010, section II (T_opt = f'(p/q), inverted).
    [B] -> [B]
    """
    require_rank(1, critic=critic)
    require(divergence != "total_variation", "divergence is total_variation; its critic tells the sign of p - q, not their ratio")
    row, highest = row_of(_RATIOS, divergence, alpha), row_of(CELLS, divergence, alpha).slope_at_infinity
    below, above = critic <= row.lowest, critic >= highest
    log_ratio = row.log_ratio(critic.masked_fill(below | above, row.inside))
    return log_ratio.masked_fill(below, -math.inf).masked_fill(above, math.inf)


def _require_samples(**critics):
    require_rank(1, **critics)
    for name, critic in critics.items():
        require(critic.numel() > 0, f"{name} is empty; a mean needs at least one sample")


def _require_game(log_probs_p, log_probs_q, critic):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, critic=critic)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Ratio:
    """The logarithm of the maximizer u*(t), asked strictly between f'(0) and f'(infinity)."""

    log_ratio: Callable
    lowest: float = -math.inf  # f'(0)
    inside: float = -0.5  # a slope that f does take, to stand in for those it does not


def _alpha_ratio(alpha):
    lowest = 1 / (1 - alpha) if alpha > 1 else -math.inf
    return _Ratio(lambda t: torch.log1p(t * (alpha - 1)) / (alpha - 1), lowest=lowest, inside=0.0)


_RATIOS = {
    "kl": _Ratio(lambda t: t - 1),
    "reverse_kl": _Ratio(lambda t: -torch.log(-t)),
    "pearson_chi_squared": _Ratio(lambda t: torch.log1p(t / 2), lowest=-2.0),
    "neyman_chi_squared": _Ratio(lambda t: torch.log1p(-t) / -2),
    "squared_hellinger": _Ratio(lambda t: torch.log1p(-t) * -2),
    "jeffreys": _Ratio(log_ratio),
    # The gan row at 2t - log 2, written so that it vanishes with t: 2 - e^2t = 1 - (e^2t - 1).
    "jensen_shannon": _Ratio(lambda t: 2 * t - torch.log1p(-torch.expm1(2 * t))),
    "gan": _Ratio(lambda t: t - torch.log(-torch.expm1(t))),
    "alpha": _alpha_ratio,
}
