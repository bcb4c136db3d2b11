"""f-divergences: one convex function of the density ratio, one measure of the distance between two distributions.

Throughout, u = p/q is the ratio, l = log u its logarithm, f the generator and D_f(p || q) = sum_k q_k f(p_k / q_k).
"""

from math import inf

import jax.numpy as jnp

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.foundations._generators import GENERATORS, row_of


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [...] -> [...]
    """
    return row_of(GENERATORS, divergence, alpha).generator(jnp.asarray(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [...] -> [...]
    """
    return row_of(GENERATORS, divergence, alpha).derivative(jnp.asarray(log_ratio))


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row of log_probs_p or log_probs_q does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = row_of(GENERATORS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    log_probs_p, log_probs_q = jnp.asarray(log_probs_p), jnp.asarray(log_probs_q)
    # q f(p/q) = p f*(q/p) with the adjoint generator f*(u) = u f(1/u) (shown below): whichever of the two ratios is at most
    # one is used, so that a ratio of 1e60 never meets a probability of 1e-60.
    adjoint = row_of(GENERATORS, *_adjoint_of(divergence, alpha))
    p_is_zero, q_is_zero = log_probs_p == -inf, log_probs_q == -inf
    inside = ~p_is_zero & ~q_is_zero
    log_p, log_q = jnp.where(inside, log_probs_p, 0.0), jnp.where(inside, log_probs_q, 0.0)
    q_is_larger = log_p <= log_q
    from_q = jnp.exp(log_q) * row.generator(jnp.where(q_is_larger, log_p - log_q, 0.0))
    from_p = jnp.exp(log_p) * adjoint.generator(jnp.where(q_is_larger, 0.0, log_q - log_p))
    terms = jnp.where(inside, jnp.where(q_is_larger, from_q, from_p), 0.0)
    only_q, only_p = p_is_zero & ~q_is_zero, q_is_zero & ~p_is_zero
    terms += _weighted(only_q, log_probs_q, row.at_zero) + _weighted(only_p, log_probs_p, row.slope_at_infinity)
    return jnp.sum(terms, axis=-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of log_channel is not the number of probabilities, or if a row of log_probs or
    log_channel does not sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = jnp.shape(log_probs)[1], jnp.shape(log_channel)[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = jnp.asarray(log_probs)[:, :, None] + jnp.asarray(log_channel)[None, :, :]
    # An output that cannot be reached has only -inf terms: its largest one must not be subtracted, its logarithm not taken.
    reachable = joint.max(axis=1, keepdims=True) > -inf
    joint = jnp.where(reachable, joint, 0.0)
    largest = joint.max(axis=1, keepdims=True)
    total = jnp.sum(jnp.exp(joint - largest), axis=1)
    return jnp.where(reachable[:, 0, :], largest[:, 0, :] + jnp.log(total), -inf)


# ------------------------------------------------------------------------------------------- one divergence, one row


def _adjoint_of(divergence, alpha):
    """The name and the parameter of the divergence with its arguments swapped."""
    row = row_of(GENERATORS, divergence, alpha)
    return row.adjoint or divergence, None if alpha is None else 1 - alpha


def _weighted(mask, log_weight, value):
    """e^log_weight value where mask holds, else 0, without 0 * inf in the value or in its gradient."""
    if value == inf:
        return jnp.where(mask, inf, 0.0)
    return jnp.where(mask, jnp.exp(jnp.where(mask, log_weight, 0.0)) * value, 0.0)
