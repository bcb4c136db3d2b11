"""Variational divergence (lecture 3): an f-divergence as the best a critic can do, and what weaker critics still tell.

Local names: T is the critic, u = p/q the density ratio, T_opt = f'(u) the best critic, u_T = (f*)'(T) its ratio.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import jax.numpy as jnp

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.foundations._generators import row_of
from theory_jax.foundations._wright import log_omega
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate
from theory_jax.foundations.jensen import log_mean_exp


def variational_lower_bound(critic_p, critic_q, *, divergence, alpha=None):
    r"""mean T(x_p) - mean f*(T(x_q)), from samples x_p of p and x_q of q; -inf where a T(x_q) is outside the domain of f*.

    An unbiased estimate of E_p T - E_q f*(T) <= D_f(p || q): the reduction is inherent, and the sample sizes may differ.
    Raises ValueError for an empty sample critic_p or critic_q, an unknown divergence or an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, eq. 4.
    [N], [M] -> []
    """
    _require_samples(critic_p, critic_q)
    return critic_p.mean() - fenchel_conjugate(critic_q, divergence=divergence, alpha=alpha).mean()


def donsker_varadhan_bound(critic_p, critic_q):
    r"""mean T(x_p) - log mean e^T(x_q), from samples x_p of p and x_q of q: a lower bound on KL(p || q) in the limit, nats.

    The logarithm of a mean: biased upwards at every finite sample of q.  Raises ValueError for an empty sample critic_p or
    critic_q.  Source: Donsker & Varadhan 1983; Belghazi et al. 2018, eq. 10.
    [N], [M] -> []
    """
    _require_samples(critic_p, critic_q)
    return critic_p.mean() - log_mean_exp(critic_q[None])[0]


def exact_variational_bound(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k p_k T_k - q_k f*(T_k): E_p T - E_q f*(T) <= D_f(p || q) over a finite space; -inf where T leaves the domain of f*.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.  Source: Nowozin et al. 2016, eq. 4.
    [B, K], [B, K], [B, K] -> [B]
    """
    _require_game(log_probs_p, log_probs_q, critic)
    conjugate = fenchel_conjugate(critic, divergence=divergence, alpha=alpha)
    # Outside the domain a critic is not admissible, even where q has no mass to punish it: there 0 * inf counts as inf.
    admissible = conjugate < jnp.inf
    penalty = jnp.where(admissible, jnp.exp(log_probs_q) * jnp.where(admissible, conjugate, 0.0), jnp.inf)
    return jnp.sum(jnp.exp(log_probs_p) * critic - penalty, axis=-1)


def variational_gap(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k q_k [f*(T_k) - f*(T_opt_k) - u_k (T_k - T_opt_k)] = D_f(p || q) - bound >= 0, with u = p/q, T_opt = f'(u).

    What the critic leaves on the table: the Bregman divergence of f* from the best critic to this one, averaged under q. It is
    computed as the difference on the right (below, a lemma shows their equality), which needs no T_opt where u is 0 or infinite.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010, section II; Banerjee et al. 2005 for Bregman divergences.
    [B, K], [B, K], [B, K] -> [B]
    """
    row = {"divergence": divergence, "alpha": alpha}
    reached = exact_variational_bound(log_probs_p, log_probs_q, critic, **row)
    return f_divergence(log_probs_p, log_probs_q, **row) - reached


def log_ratio_from_critic(critic, *, divergence, alpha=None):
    r"""log (f*)'(T), the log-ratio log p/q for which the critic T would be the best one.

    -inf where T is below every slope of f (on the flat part of f*), +inf where it is above (outside the domain of f*).

    Raises ValueError for total_variation (its best critic holds only the sign of p - q), for an unknown divergence or an
    alpha it does not take.  Source: Nguyen, Wainwright & Jordan 2010, section II (T_opt = f'(p/q), inverted).
    [B] -> [B]
    """
    require_rank(1, critic=critic)
    require(divergence != "total_variation", "divergence is total_variation; its critic tells the sign of p - q, not their ratio")
    row = row_of(_SLOPES, divergence, alpha)
    below, above = critic <= row.lowest, critic >= row.highest
    # The excluded values are replaced before the formula sees them, so that its NaN does not come back through the gradient.
    inside = jnp.where(below | above, row.at_one, critic)
    return jnp.where(below, -jnp.inf, jnp.where(above, jnp.inf, row.log_ratio(inside)))


def _require_samples(critic_p, critic_q):
    require_rank(1, critic_p=critic_p, critic_q=critic_q)
    for name, critic in (("critic_p", critic_p), ("critic_q", critic_q)):
        require(critic.shape[0] > 0, f"{name} is empty; a mean needs at least one sample")


def _require_game(log_probs_p, log_probs_q, critic):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, critic=critic)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


# ------------------------------------------------------------------------------------------- the slopes of f, inverted


@dataclass(frozen=True)
class _Slopes:
    """The slopes t = f'(u) that f takes on 0 < u < infinity, and the way back."""

    log_ratio: Callable  # log u of t
    at_one: float = 0.0  # f'(1)
    lowest: float = -inf  # f'(0)
    highest: float = inf  # f'(infinity)


def _alpha_slopes(alpha):
    edge = 1 / (1 - alpha)
    limits = {"highest": edge} if alpha < 1 else {"lowest": edge}
    return _Slopes(lambda t: jnp.log1p((alpha - 1) * t) / (alpha - 1), **limits)


_SLOPES = {
    "kl": _Slopes(lambda t: t - 1, at_one=1.0),
    "reverse_kl": _Slopes(lambda t: -jnp.log(-t), at_one=-1.0, highest=0.0),
    "pearson_chi_squared": _Slopes(lambda t: jnp.log1p(t / 2), lowest=-2.0),
    "neyman_chi_squared": _Slopes(lambda t: -jnp.log1p(-t) / 2, highest=1.0),
    "squared_hellinger": _Slopes(lambda t: -2 * jnp.log1p(-t), highest=1.0),
    "jeffreys": _Slopes(lambda t: -log_omega(-t)),
    # e^2t / (2 - e^2t), with 2 - e^2t = 1 - (e^2t - 1) for the sake of t near 0, where the ratio is near 1.
    "jensen_shannon": _Slopes(lambda t: 2 * t - jnp.log1p(-jnp.expm1(2 * t)), highest=math.log(2) / 2),
    "gan": _Slopes(lambda t: t - jnp.log(-jnp.expm1(t)), at_one=-math.log(2), highest=0.0),
    "alpha": _alpha_slopes,
}
