"""Variants of direct preference optimization (lecture 55): alternatives to the loss -log sigma(beta h).

Log-probabilities are of whole completions.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require_at_least,
    require_integers,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)
from theory_jax.preference.dpo import preference_logits


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, regularization):
    r"""(h - 1/(2 tau))^2, h = (log pi - log pi_0)(c) - (log pi - log pi_0)(r), tau = regularization: a margin to be met exactly.

    The arguments are log-probabilities of whole completions: sums over their tokens, without the prompt's. Some libraries divide
    by the number of tokens here; such means may be passed instead. The reference is a constant: it gets no gradient.

    Raises ValueError as preference_logits does, or if regularization is not positive.  Source: Azar et al. 2023, eq. 17.
    [B], [B], [B], [B] -> [B]
    """
    require_positive(regularization=regularization)
    h = preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, kl_coefficient=1.0)
    return (h - 1 / (2 * regularization)) ** 2


def hinge_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient):
    r"""max(0, 1 - beta h), h as in preference_logits, beta = kl_coefficient: zero for pairs beyond the margin 1/beta.

    Raises ValueError as preference_logits does.  Source: Zhao et al. 2023 (SLiC-HF); Liu et al. 2024 (of log-ratios).
    [B], [B], [B], [B] -> [B]
    """
    u = preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, kl_coefficient=kl_coefficient)
    return jax.nn.relu(1 - u)


def kto_loss(
    policy_log_probs,
    reference_log_probs,
    desirable,
    reference_point,
    *,
    kl_coefficient,
    desirable_weight=1.0,
    undesirable_weight=1.0,
):
    r"""lambda_D sigma(beta (z_0 - l)) where desirable is True, lambda_U sigma(beta (l - z_0)) elsewhere; l = log pi - log pi_0.

    beta = kl_coefficient, lambda_D = desirable_weight, lambda_U = undesirable_weight. reference_point is z_0, an estimate of the
    divergence of the policy from the reference; it is a constant, and its gradient is 0. Completions are judged one by one: there
    are no pairs.

    Raises ValueError if the shapes do not fit, policy_log_probs, reference_log_probs or reference_point is not finite,
    kl_coefficient is not positive, or desirable_weight or undesirable_weight is negative.
    Source: Ethayarajh et al. 2024, the loss L_KTO.
    [B], [B], [B], [] -> [B]
    """
    require_positive(kl_coefficient=kl_coefficient)
    require_at_least(0, desirable_weight=desirable_weight, undesirable_weight=undesirable_weight)
    require_rank(1, policy_log_probs=policy_log_probs)
    require_same_shape(policy_log_probs=policy_log_probs, reference_log_probs=reference_log_probs, desirable=desirable)
    require_shape((), reference_point=reference_point)
    named = {"policy_log_probs": policy_log_probs, "reference_log_probs": reference_log_probs, "reference_point": reference_point}
    for name, array in named.items():
        require_values(name, array, np.isfinite, "finite")
    beyond = kl_coefficient * (policy_log_probs - reference_log_probs - jax.lax.stop_gradient(reference_point))
    desirable = jnp.asarray(desirable, bool)
    # e^(log sigma) has the right gradient on both sides; a sigma that rounds to 1 has none
    loss = jnp.exp(jax.nn.log_sigmoid(jnp.where(desirable, -beyond, beyond)))
    return jnp.where(desirable, desirable_weight * loss, undesirable_weight * loss)


def simpo_loss(policy_chosen, policy_rejected, chosen_length, rejected_length, *, scale, margin):
    r"""-log sigma(beta (log pi(c) / |c| - log pi(r) / |r|) - gamma), in nats: beta = scale, gamma = margin. No reference occurs.

    |c| = chosen_length and |r| = rejected_length count the tokens of the completions.

    Raises ValueError if the shapes differ, policy_chosen or policy_rejected is not finite, chosen_length or rejected_length is
    not at least 1, or scale is not positive.  Source: Meng et al. 2024, eq. 6.
    [B], [B], [B], [B] -> [B]
    """
    require_positive(scale=scale)
    chosen, rejected = _means(policy_chosen, policy_rejected, chosen_length, rejected_length)
    return -jax.nn.log_sigmoid(scale * (chosen - rejected) - margin)


def orpo_loss(policy_chosen, policy_rejected, chosen_length, rejected_length, *, odds_weight):
    r"""-l_c - lambda log sigma(log odds(l_c) - log odds(l_r)), in nats; odds(l) = e^l / (1 - e^l), lambda = odds_weight.

    l_c = policy_chosen / chosen_length and l_r = policy_rejected / rejected_length are means over the tokens of a completion: the
    first term is the supervised loss of the chosen one, so that no reference is needed.

    Raises ValueError if the shapes differ, policy_chosen or policy_rejected is not finite or not negative (at 0 the odds are
    infinite), chosen_length or rejected_length is not at least 1, or odds_weight is negative.
    Source: Hong et al. 2024, eq. 6 and 7.
    [B], [B], [B], [B] -> [B]
    """
    require_at_least(0, odds_weight=odds_weight)
    chosen, rejected = _means(policy_chosen, policy_rejected, chosen_length, rejected_length)
    for name, array in {"policy_chosen": policy_chosen, "policy_rejected": policy_rejected}.items():
        require_values(name, array, lambda a: a < 0, "negative: a completion of probability 1 has infinite odds")
    return -chosen - odds_weight * jax.nn.log_sigmoid(_log_odds(chosen) - _log_odds(rejected))


def _means(policy_chosen, policy_rejected, chosen_length, rejected_length):
    """The mean log-probability of a token, of both completions."""
    log_probs = {"policy_chosen": policy_chosen, "policy_rejected": policy_rejected}
    lengths = {"chosen_length": chosen_length, "rejected_length": rejected_length}
    require_rank(1, policy_chosen=policy_chosen)
    require_same_shape(**log_probs)
    require_one_each(policy_chosen, **lengths)
    require_integers(**lengths)
    for name, array in log_probs.items():
        require_values(name, array, np.isfinite, "finite: the log-probability of a whole completion")
    for name, array in lengths.items():
        require_values(name, array, lambda a: a >= 1, "at least 1: a completion has a token")
    return policy_chosen / widened(chosen_length), policy_rejected / widened(rejected_length)


def _log_odds(mean):
    return mean - jnp.log(-jnp.expm1(mean))
