"""The optimum of KL-regularized reward (lecture 55): the reference, tilted by the reward, and the reward read back from it.

One row is one prompt with its N completions: rewards r_i and log pi_0(i), which may be -inf.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_log_probs, require_positive, require_rank, require_same_shape, require_values


def tilted_log_probs(rewards, reference_log_probs, *, kl_coefficient):
    r"""log pi_*(i) = log pi_0(i) + r_i / beta - log Z: the policy with the largest reward minus beta KL(pi || pi_0).

    beta = kl_coefficient, Z = sum_i pi_0(i) e^(r_i / beta). What the reference never does stays at -inf.

    Raises ValueError if the shapes differ, rewards has no completion, a row of reference_log_probs does not sum to one, or
    kl_coefficient is not positive.  Source: Peters & Schaal 2007; Korbak et al. 2022; Rafailov et al. 2023, eq. 4.
    [B, N], [B, N] -> [B, N]
    """
    return jax.nn.log_softmax(_tilted(rewards, reference_log_probs, kl_coefficient), axis=-1)


def tilted_log_partition(rewards, reference_log_probs, *, kl_coefficient):
    r"""log Z = log sum_i pi_0(i) e^(r_i / beta), beta = kl_coefficient, in nats; beta log Z is the best regularized value.

    Raises ValueError if the shapes differ, rewards has no completion, a row of reference_log_probs does not sum to one, or
    kl_coefficient is not positive.  Source: Rafailov et al. 2023, eq. 4.
    [B, N], [B, N] -> [B]
    """
    return jax.nn.logsumexp(_tilted(rewards, reference_log_probs, kl_coefficient), axis=-1)


def regularized_value(rewards, log_probs, reference_log_probs, *, kl_coefficient):
    r"""J(pi) = sum_i pi_i r_i - beta KL(pi || pi_0), beta = kl_coefficient, in units of the reward; 0 log 0 = 0.

    It is -inf where pi does what the reference never does.

    Raises ValueError if the shapes differ, rewards has no completion, a row of log_probs or reference_log_probs does not
    sum to one, or kl_coefficient is not positive.  Source: Korbak et al. 2022, section 2; Rafailov et al. 2023, eq. 3.
    [B, N], [B, N], [B, N] -> [B]
    """
    require_positive(kl_coefficient=kl_coefficient)
    _require_rows(rewards=rewards, log_probs=log_probs, reference_log_probs=reference_log_probs)
    require_log_probs(log_probs=log_probs, reference_log_probs=reference_log_probs)
    cost = kl_coefficient * _log_ratio(log_probs, reference_log_probs)
    return jnp.sum(jnp.exp(log_probs) * (rewards - cost), axis=-1)


def implicit_reward(log_probs, reference_log_probs, *, kl_coefficient):
    r"""beta (log pi - log pi_0), beta = kl_coefficient: the reward of which pi is the optimum, with log Z = 0.

    Of the optimum pi_* for rewards r it is r - beta log Z: the reward up to a constant of the prompt. It is 0, without
    meaning, where both have probability 0.

    Raises ValueError if the shapes differ or kl_coefficient is not positive.  Source: Rafailov et al. 2023, eq. 5.
    [...], [...] -> [...]
    """
    require_positive(kl_coefficient=kl_coefficient)
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs)
    return kl_coefficient * _log_ratio(log_probs, reference_log_probs, never=True)


def reward_kl_frontier(rewards, reference_log_probs, kl_coefficients):
    r"""The expected reward and the divergence KL(pi_* || pi_0), in nats, of the optimum for each coefficient beta.

    No policy has more reward at the same divergence or less; the slope of reward by divergence is beta.

    Raises ValueError if the shapes differ, rewards is empty, reference_log_probs do not sum to one, or an entry of
    kl_coefficients is not positive.  Source: Korbak et al. 2022; Gao et al. 2023, section 2.
    [K], [K], [M] -> [M], [M]
    """
    require_rank(1, rewards=rewards, reference_log_probs=reference_log_probs, kl_coefficients=kl_coefficients)
    require_same_shape(rewards=rewards, reference_log_probs=reference_log_probs)
    require(len(rewards) > 0, "rewards has no entry; there must be at least one completion")
    require_log_probs(reference_log_probs=reference_log_probs)
    require_values("kl_coefficients", kl_coefficients, lambda a: a > 0, "positive")
    log_probs = jax.nn.log_softmax(reference_log_probs + rewards / kl_coefficients[:, None], axis=-1)
    tilt = jnp.exp(log_probs)
    return tilt @ rewards, jnp.sum(tilt * _log_ratio(log_probs, reference_log_probs[None]), axis=-1)


def _tilted(rewards, reference_log_probs, kl_coefficient):
    """log(pi_0 e^(r / beta)), not normalized."""
    require_positive(kl_coefficient=kl_coefficient)
    _require_rows(rewards=rewards, reference_log_probs=reference_log_probs)
    require_log_probs(reference_log_probs=reference_log_probs)
    return reference_log_probs + rewards / kl_coefficient


def _log_ratio(log_probs, reference_log_probs, never=False):
    """log pi - log pi_0, and 0 where pi is 0; with `never`, only where both are."""
    zero = jnp.isneginf(log_probs) & (jnp.isneginf(reference_log_probs) if never else True)
    return jnp.where(zero, 0.0, log_probs) - jnp.where(zero, 0.0, reference_log_probs)


def _require_rows(**arrays):
    require_rank(2, **arrays)
    require_same_shape(**arrays)
    (name, first), *_ = arrays.items()
    require(first.shape[1] > 0, f"{name} has shape {list(first.shape)}; its last axis must not be empty")
