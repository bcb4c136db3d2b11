"""Wrong losses of proximal policy optimization that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.reinforcement import ppo as right
from tests.support.mistakes import Mistake


def _policy(log_probs, old_log_probs, advantages, *, clip, low=None, both=torch.maximum):
    """As it is usually written: the ratio and the clipped ratio, each times the advantage."""
    ratio = (log_probs - old_log_probs).exp()
    clipped = ratio.clamp(1 - clip if low is None else low, 1 + clip)
    return both(-ratio * advantages, -clipped * advantages)


def _logarithm_clipped(log_probs, old_log_probs, advantages, *, clip):
    log_ratio = log_probs - old_log_probs
    return torch.maximum(-log_ratio.exp() * advantages, -log_ratio.clamp(-clip, clip).exp() * advantages)


def _surrogate_gradient(log_probs, old_log_probs, advantages, *, clip):
    """The right value; the gradient of -rho A everywhere."""
    surrogate = -(log_probs - old_log_probs).exp() * advantages
    return surrogate + (_policy(log_probs, old_log_probs, advantages, clip=clip) - surrogate).detach()


def _values(values, old_values, returns, *, clip, both=torch.maximum, around=None):
    center = old_values if around is None else around(old_values, returns)
    near = center + (values - center).clamp(-clip, clip)
    return both((values - returns).square(), (near - returns).square()) / 2


def _indicator(log_probs, old_log_probs, advantages, *, clip, either=False, sign=1, beyond=torch.gt):
    ratio = (log_probs - old_log_probs).exp()
    above, below = beyond(ratio, 1 + clip), beyond(-ratio, clip - 1)
    if either:
        return above | below
    return above & (sign * advantages > 0) | below & (sign * advantages < 0)


def _penalty(log_probs, old_log_probs, advantages, *, kl_coefficient, penalty):
    log_ratio = log_probs - old_log_probs
    return kl_coefficient * penalty(log_ratio) - log_ratio.exp() * advantages


def _whole(
    log_probs, old_log_probs, advantages, values, old_values, returns, entropy, mask,
    *, clip, value_clip, value_coefficient, entropy_coefficient, bonus=-1.0, product=False, mean=None,
):  # fmt: skip
    valid = mask != 0
    steps = (log_probs, old_log_probs, advantages, values, old_values, returns, entropy)
    if not product:
        log_probs, old_log_probs, advantages, values, old_values, returns, entropy = (
            step.masked_fill(~valid, 0) for step in steps
        )
    losses = (
        _policy(log_probs, old_log_probs, advantages, clip=clip)
        + value_coefficient * _values(values, old_values, returns, clip=value_clip)
        + bonus * entropy_coefficient * entropy
    ) * valid
    return losses.sum(1) / valid.sum(1) if mean is None else mean(losses, valid)


MISTAKES = (
    Mistake("clipped_policy_loss", "the smaller in place of the larger", partial(_policy, both=torch.minimum)),
    Mistake("clipped_policy_loss", "clipped, whatever the advantage", partial(_policy, both=lambda plain, clipped: clipped)),
    Mistake("clipped_policy_loss", "clipped above alone", partial(_policy, low=0.0)),
    Mistake("clipped_policy_loss", "the logarithm of the ratio clipped", _logarithm_clipped),
    Mistake("clipped_policy_loss", "the ratio turned over", lambda log_probs, old_log_probs, advantages, *, clip: (
        _policy(old_log_probs, log_probs, advantages, clip=clip))),
    Mistake("clipped_policy_loss", "maximized", lambda *steps, **numbers: -_policy(*steps, **numbers)),
    Mistake("clipped_policy_loss", "never cut off: the gradient of the surrogate", _surrogate_gradient),
    Mistake("clipped_policy_loss", "accepts any clip", _policy, only_checks=True),
    Mistake("clipped_indicator", "every ratio out of range", partial(_indicator, either=True)),
    Mistake("clipped_indicator", "from the clip on", partial(_indicator, beyond=torch.ge)),
    Mistake("clipped_indicator", "the other side", partial(_indicator, sign=-1)),
    Mistake("clipped_indicator", "an advantage of 0 counted as positive", lambda log_probs, old_log_probs, advantages, *, clip: (
        _indicator(log_probs, old_log_probs, torch.where(advantages < 0, -1.0, 1.0), clip=clip))),
    Mistake("clipped_value_loss", "the smaller in place of the larger", partial(_values, both=torch.minimum)),
    Mistake("clipped_value_loss", "clipped alone", partial(_values, both=lambda plain, clipped: clipped)),
    Mistake("clipped_value_loss", "a range around the return", partial(_values, around=lambda old, goal: goal)),
    Mistake("clipped_value_loss", "without the half", lambda *fitted, **numbers: 2 * _values(*fitted, **numbers)),
    Mistake("clipped_value_loss", "a relative range", lambda values, old_values, returns, *, clip: (
        right.clipped_value_loss(values / old_values, old_values / old_values, returns / old_values, clip=clip)
        * old_values.square())),
    Mistake("kl_penalty_loss", "samples of the new policy", partial(_penalty, penalty=lambda d: torch.expm1(-d) + d)),
    Mistake("kl_penalty_loss", "the log-ratio alone", partial(_penalty, penalty=lambda d: -d)),
    Mistake("kl_penalty_loss", "half its square", partial(_penalty, penalty=lambda d: d.square() / 2)),
    Mistake("kl_penalty_loss", "a reward for leaving", partial(_penalty, penalty=lambda d: d - torch.expm1(d))),
    Mistake("kl_penalty_loss", "the log-ratio as the surrogate", lambda log_probs, old_log_probs, advantages, *, kl_coefficient: (
        right.kl_penalty_loss(log_probs, old_log_probs, 0 * advantages, kl_coefficient=kl_coefficient)
        - (log_probs - old_log_probs) * advantages)),
    Mistake("ppo_loss", "a penalty for entropy", partial(_whole, bonus=1.0)),
    Mistake("ppo_loss", "the mean over padding", partial(_whole, mean=lambda losses, valid: losses.mean(1))),
    Mistake("ppo_loss", "the sum over the steps", partial(_whole, mean=lambda losses, valid: losses.sum(1))),
    Mistake("ppo_loss", "the mean over the whole batch", partial(_whole, mean=lambda losses, valid: (
        (losses.sum() / valid.sum()).expand(len(losses))))),
    Mistake("ppo_loss", "the mask as a factor", partial(_whole, product=True)),
    Mistake("ppo_loss", "one range for ratios and values", lambda *steps, **numbers: (
        right.ppo_loss(*steps, **numbers | {"value_clip": numbers["clip"]}))),
    Mistake("ppo_loss", "accepts any mask and number", _whole, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("clipped_policy_loss", "as the paper writes it, and trl", _policy, core_alone=True),
    Mistake("clipped_indicator", "of the ratio, not of its logarithm", _indicator, core_alone=True),
    Mistake("clipped_value_loss", "as baselines and trl write it", _values, core_alone=True),
    Mistake("kl_penalty_loss", "expm1(d) - d", partial(_penalty, penalty=lambda d: torch.expm1(d) - d), core_alone=True),
    Mistake("ppo_loss", "as the paper writes it", _whole, core_alone=True),
)
