"""Direct preference optimization (lecture 55): the optimum of KL-regularized reward, fitted to preference pairs directly.

Log-probabilities are of whole completions.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_sigmoid

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_values
from theory_jax.preference.kl_optimum import implicit_reward


def preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient):
    r"""beta h, h = (log pi - log pi_0)(c) - (log pi - log pi_0)(r): how far the policy has moved towards the chosen completion c.

    beta = kl_coefficient; the arguments are log-probabilities of whole completions, sums over their tokens, prompt excluded. The
    optimum of KL-regularized reward prefers c to r with probability sigma(beta h). The reference is a constant: it gets no
    gradient.

    Raises ValueError if the shapes differ, policy_chosen, policy_rejected, reference_chosen or reference_rejected is not finite,
    or kl_coefficient is not positive.  Source: Rafailov et al. 2023, eq. 6.
    [B], [B], [B], [B] -> [B]
    """
    _require_pairs(
        kl_coefficient,
        policy_chosen=policy_chosen,
        policy_rejected=policy_rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
    )
    return kl_coefficient * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient, label_smoothing=0.0):
    r"""-(1 - epsilon) log sigma(beta h) - epsilon log sigma(-beta h), in nats; epsilon = label_smoothing.

    With smoothing the least loss is at beta h = log((1 - epsilon) / epsilon); without, at infinity.

    Raises ValueError as preference_logits does, or if label_smoothing is outside [0, 1/2).
    Source: Rafailov et al. 2023, eq. 7; Mitchell 2023, A note on DPO with noisy preferences (the smoothing).
    [B], [B], [B], [B] -> [B]
    """
    _require_below_half(label_smoothing=label_smoothing)
    u = preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, kl_coefficient=kl_coefficient)
    return -(1 - label_smoothing) * log_sigmoid(u) - label_smoothing * log_sigmoid(-u)


def robust_dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient, flip_probability):
    r"""(-(1 - epsilon) log sigma(beta h) + epsilon log sigma(-beta h)) / (1 - 2 epsilon), epsilon = flip_probability.

    Its mean over labels that are flipped with probability epsilon is the loss of the true label. It has no lower bound on a pair
    that is always labelled the same way.

    Raises ValueError as preference_logits does, or if flip_probability is outside [0, 1/2).
    Source: Chowdhury, Kini & Natarajan 2024, section 3.
    [B], [B], [B], [B] -> [B]
    """
    _require_below_half(flip_probability=flip_probability)
    u = preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, kl_coefficient=kl_coefficient)
    unbiased = (1 - flip_probability) * log_sigmoid(u) - flip_probability * log_sigmoid(-u)
    return -unbiased / (1 - 2 * flip_probability)


def gradient_weight(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient):
    r"""beta sigma(-beta h): the gradient of dpo_loss is minus this times the gradient of log pi(c) - log pi(r).

    It is the price of a nat times the probability of the other verdict: beta / 2 where the policy is the reference.

    Raises ValueError as preference_logits does.  Source: Rafailov et al. 2023, section 4.
    [B], [B], [B], [B] -> [B]
    """
    u = preference_logits(policy_chosen, policy_rejected, reference_chosen, reference_rejected, kl_coefficient=kl_coefficient)
    return kl_coefficient * jax.nn.sigmoid(-u)


def implicit_reward_margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, kl_coefficient):
    r"""The implicit rewards beta log(pi / pi_0) of both completions, and the accuracy: 1 if the chosen's is larger, 1/2 in a tie.

    Rewards are known up to a constant of the prompt, so that only their difference, the logit, compares prompts.

    Raises ValueError as preference_logits does.  Source: Rafailov et al. 2023, section 5.
    [B], [B], [B], [B] -> [B], [B], [B]
    """
    _require_pairs(
        kl_coefficient,
        policy_chosen=policy_chosen,
        policy_rejected=policy_rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
    )
    chosen = implicit_reward(policy_chosen, reference_chosen, kl_coefficient=kl_coefficient)
    rejected = implicit_reward(policy_rejected, reference_rejected, kl_coefficient=kl_coefficient)
    return chosen, rejected, (1 + jnp.sign(chosen - rejected)) / 2


def _require_pairs(kl_coefficient, **log_probs):
    require_positive(kl_coefficient=kl_coefficient)
    require_rank(1, policy_chosen=log_probs["policy_chosen"])
    require_same_shape(**log_probs)
    for name, array in log_probs.items():
        require_values(name, array, np.isfinite, "finite: the log-probability of a whole completion")


def _require_below_half(**numbers):
    for name, number in numbers.items():
        require(0 <= number < 0.5, f"{name} is {number}; it must be in [0, 1/2): beyond, the labels say the opposite")
