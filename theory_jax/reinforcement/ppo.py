"""Proximal policy optimization (lecture 52): losses by which one batch of an older policy serves several updates.

Steps are [B, T]. Log-probabilities of the actions taken, values and entropies are those of the policy in training. What is called
old, the advantages and the returns are constants: the caller stops their gradient.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_same_shape, require_values
from theory_jax.reinforcement._process import counted_mask
from theory_jax.reinforcement._ratio import clipped_ratio, is_cut
from theory_jax.reinforcement.kl_estimators import kl_k3


def clipped_policy_loss(log_probs, old_log_probs, advantages, *, clip):
    r"""max(-rho A, -min(max(rho, 1 - clip), 1 + clip) A) of every step, rho = e^(log_probs - old_log_probs), A the advantage.

    It is to be minimized. Where the ratio has moved by more than clip in the direction of A, it is constant, and its gradient
    is exactly 0, however large the ratio; elsewhere it is -rho A.

    Raises ValueError if the shapes differ, log_probs, old_log_probs or advantages is not finite, or clip is not between 0 and 1.
    Source: Schulman et al. 2017, eq. 7.
    [B, T], [B, T], [B, T] -> [B, T]
    """
    log_ratio = _log_ratio(log_probs, old_log_probs, advantages, clip)
    return -clipped_ratio(log_ratio, advantages, clip, clip) * advantages


def clipped_indicator(log_probs, old_log_probs, advantages, *, clip):
    r"""Mask of the steps without gradient in clipped_policy_loss: A > 0 and rho > 1 + clip, or A < 0 and rho < 1 - clip.

    Its mean is the fraction of steps that have moved as far as they may.

    Raises ValueError if the shapes differ, log_probs, old_log_probs or advantages is not finite, or clip is not between 0 and 1.
    Source: Schulman et al. 2017, figure 1.
    [B, T], [B, T], [B, T] -> [B, T]
    """
    return is_cut(_log_ratio(log_probs, old_log_probs, advantages, clip), advantages, clip, clip)


def clipped_value_loss(values, old_values, returns, *, clip):
    r"""1/2 max((v - G)^2, (v_old + min(max(v - v_old, -clip), clip) - G)^2) of every step, G its return.

    clip has the unit of the values; with clip = inf it is half the squared error. The gradient is 0 where v is more than clip
    away from v_old and nearer to G than the end of that range.

    Raises ValueError if the shapes differ, values, old_values or returns is not finite, or clip is not positive.
    Source: Engstrom et al. 2020, section 3; Huang et al. 2022.
    [B, T], [B, T], [B, T] -> [B, T]
    """
    require_positive(clip=clip)
    _require_steps(values=values, old_values=old_values, returns=returns)
    near = old_values + jnp.clip(values - old_values, -clip, clip)
    return jnp.maximum((values - returns) ** 2, (near - returns) ** 2) / 2


def kl_penalty_loss(log_probs, old_log_probs, advantages, *, kl_coefficient):
    r"""-rho A + beta (rho - 1 - log rho) of every step, rho = e^(log_probs - old_log_probs), beta = kl_coefficient, in nats.

    The actions are the old policy's, so the mean of the second term is beta KL(old || new).

    Raises ValueError if the shapes differ, log_probs, old_log_probs or advantages is not finite, or kl_coefficient is negative.
    Source: Schulman et al. 2017, eq. 8.
    [B, T], [B, T], [B, T] -> [B, T]
    """
    require_at_least(0, kl_coefficient=kl_coefficient)
    _require_steps(log_probs=log_probs, old_log_probs=old_log_probs, advantages=advantages)
    return kl_coefficient * kl_k3(old_log_probs, log_probs) - jnp.exp(log_probs - old_log_probs) * advantages


def ppo_loss(
    log_probs,
    old_log_probs,
    advantages,
    values,
    old_values,
    returns,
    entropy,
    mask,
    *,
    clip,
    value_clip,
    value_coefficient,
    entropy_coefficient,
):
    r"""mean_t [ policy loss_t + value_coefficient value loss_t - entropy_coefficient entropy_t ] over the steps that count.

    The policy loss is clipped_policy_loss with clip, the value loss clipped_value_loss with value_clip. mask: 1 = counts;
    values where it is 0 have no influence.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1 or leaves a row no step, what counts in log_probs,
    old_log_probs, advantages, values, old_values, returns or entropy is not finite, clip is not between 0 and 1, value_clip is
    not positive, or value_coefficient or entropy_coefficient is negative.  Source: Schulman et al. 2017, eq. 9.
    [B, T], [B, T], [B, T], [B, T], [B, T], [B, T], [B, T], [B, T] -> [B]
    """
    require_positive(value_clip=value_clip)
    require_at_least(0, value_coefficient=value_coefficient, entropy_coefficient=entropy_coefficient)
    require_rank(2, log_probs=log_probs)
    mask = counted_mask(mask, log_probs=log_probs)
    steps = {
        "log_probs": log_probs,
        "old_log_probs": old_log_probs,
        "advantages": advantages,
        "values": values,
        "old_values": old_values,
        "returns": returns,
        "entropy": entropy,
    }
    require_same_shape(**steps)
    steps = {name: jnp.where(mask, array, 0.0) for name, array in steps.items()}
    _require_steps(entropy=steps["entropy"])
    *policy, values, old_values, returns, entropy = steps.values()
    losses = clipped_policy_loss(*policy, clip=clip) - entropy_coefficient * entropy
    losses += value_coefficient * clipped_value_loss(values, old_values, returns, clip=value_clip)
    return jnp.sum(losses, axis=1) / jnp.sum(mask, axis=1)  # what does not count is 0 in every term


def _log_ratio(log_probs, old_log_probs, advantages, clip):
    """log rho of arguments that fit."""
    require(0 < clip < 1, f"clip is {clip}; it must be between 0 and 1")
    _require_steps(log_probs=log_probs, old_log_probs=old_log_probs, advantages=advantages)
    return log_probs - old_log_probs


def _require_steps(**arrays):
    """All named arrays are [B, T], of one shape, and finite."""
    (first, array), *_ = arrays.items()
    require_rank(2, **{first: array})
    require_same_shape(**arrays)
    for name, array in arrays.items():
        require_values(name, array, np.isfinite, "finite")
