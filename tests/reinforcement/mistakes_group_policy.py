"""Wrong forms of group-relative policies that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.reinforcement import group_policy as right
from tests.support.mistakes import Mistake


def _baseline(rewards, *, divisor=1, others=True):
    """r_i less the sum of the others (or of all) / (G - divisor)."""
    total = rewards.sum(1, keepdim=True) - (rewards if others else 0)
    return rewards - total / (rewards.shape[1] - divisor)


def _normalized(rewards, *, correction=1, epsilon=1e-4, axes=1, mean_axes=1, used=None, root=False, power=1.0):
    used = correction if used is None else used
    centered = rewards - rewards.mean(mean_axes, keepdim=True)
    apart = rewards - rewards.mean(axes, keepdim=True)
    variance = apart.square().sum(axes, keepdim=True) / ((rewards.shape[1] if axes == 1 else rewards.numel()) - used)
    if root:
        return centered / (variance + epsilon).sqrt()
    spread = variance > 0  # the root has no slope at 0
    return centered / (torch.where(spread, variance, 1).sqrt() ** power * spread + epsilon)


def _token_loss(
    log_probs, old_log_probs, reference_log_probs, advantages, mask, *, clip_low, clip_high, kl_coefficient,
    penalty=lambda d: torch.expm1(d) - d, whole=False, sign=1.0, hidden=True, weighed=False,
):  # fmt: skip
    valid = mask != 0
    if hidden:
        log_probs, old_log_probs, reference_log_probs = (
            x.masked_fill(~valid, 0) for x in (log_probs, old_log_probs, reference_log_probs)
        )
    log_ratio = log_probs - old_log_probs
    if whole:
        log_ratio = log_ratio.sum(1, keepdim=True).expand_as(log_ratio)
    ratio = log_ratio.exp()
    objective = torch.minimum(ratio * advantages[:, None], ratio.clamp(1 - clip_low, 1 + clip_high) * advantages[:, None])
    price = kl_coefficient * penalty(reference_log_probs - log_probs)
    return (sign * price * (ratio if weighed else 1) - objective) * valid


def _token_loss_of_whitened_advantages(log_probs, old_log_probs, reference_log_probs, advantages, mask, **numbers):
    spread = torch.where(advantages == advantages[:1], 0.0, advantages - advantages.mean())
    return right.group_token_loss(log_probs, old_log_probs, reference_log_probs, spread, mask, **numbers)


def _aggregate(losses, mask, *, mode, constant_length=None, answers=True, product=False):
    valid = (mask != 0).to(losses.dtype)
    losses = losses * valid if product else losses.masked_fill(mask == 0, 0)
    if mode == "constant":
        return losses.sum() / (constant_length * (len(losses) if answers else 1))
    if mode == "token_mean":
        return losses.sum() / valid.sum()
    return (losses.sum(1) / valid.sum(1)).mean()


def _aggregate_by_another_mode(losses, mask, *, mode, constant_length=None):
    other = {"sequence_mean": "token_mean", "token_mean": "sequence_mean", "constant": "constant"}[mode]
    return right.aggregate_tokens(losses, mask, mode=other, constant_length=constant_length)


def _aggregate_over_padding(losses, mask, *, mode, constant_length=None):
    if mode == "constant":
        return right.aggregate_tokens(losses, mask, mode=mode, constant_length=constant_length)
    return losses.masked_fill(mask == 0, 0).mean()


def _ratio(log_probs, old_log_probs, mask, *, length_normalized, count=None, arithmetic=False):
    valid = mask != 0
    log_ratio = log_probs.masked_fill(~valid, 0) - old_log_probs.masked_fill(~valid, 0)
    if arithmetic and length_normalized:
        return (log_ratio.exp() * valid).sum(1) / valid.sum(1)
    total = log_ratio.sum(1)
    return (total / (valid.sum(1) if count is None else count(valid)) if length_normalized else total).exp()


MISTAKES = (
    Mistake("leave_one_out_advantages", "the mean of all", partial(_baseline, divisor=0, others=False)),
    Mistake("leave_one_out_advantages", "divided by G", partial(_baseline, divisor=0)),
    Mistake("leave_one_out_advantages", "all of them divided by G - 1", partial(_baseline, others=False)),
    Mistake("leave_one_out_advantages", "over the questions", lambda rewards: rewards - rewards.mean(0, keepdim=True)),
    Mistake("leave_one_out_advantages", "accepts one answer", lambda rewards: (
        rewards if rewards.shape[1:] == (1,) else right.leave_one_out_advantages(rewards)), only_checks=True),
    Mistake("group_normalized_advantages", "the deviation of the batch", partial(_normalized, axes=(0, 1))),
    Mistake("group_normalized_advantages", "mean and deviation of the batch",
            partial(_normalized, axes=(0, 1), mean_axes=(0, 1))),
    Mistake("group_normalized_advantages", "always correction 0", partial(_normalized, used=0)),
    Mistake("group_normalized_advantages", "always correction 1", partial(_normalized, used=1)),
    Mistake("group_normalized_advantages", "epsilon under the root", partial(_normalized, root=True)),
    Mistake("group_normalized_advantages", "divided by the variance", partial(_normalized, power=2.0)),
    Mistake("group_token_loss", "k3 turned over", partial(_token_loss, penalty=lambda d: torch.expm1(-d) + d)),
    Mistake("group_token_loss", "k1", partial(_token_loss, penalty=lambda d: -d)),
    Mistake("group_token_loss", "k2", partial(_token_loss, penalty=lambda d: d.square() / 2)),
    Mistake("group_token_loss", "paid for leaving", partial(_token_loss, sign=-1.0)),
    Mistake("group_token_loss", "the price weighed by the ratio", partial(_token_loss, weighed=True)),
    Mistake("group_token_loss", "the ratio of the whole answer", partial(_token_loss, whole=True)),
    Mistake("group_token_loss", "the clips exchanged", lambda *tokens, clip_low, clip_high, **numbers: (
        right.group_token_loss(*tokens, clip_low=min(clip_high, 0.9), clip_high=clip_low, **numbers))),
    Mistake("group_token_loss", "advantages whitened again", _token_loss_of_whitened_advantages),
    Mistake("group_token_loss", "the mask as a factor", partial(_token_loss, hidden=False)),
    Mistake("group_token_loss", "accepts any clip", _token_loss, only_checks=True),
    Mistake("aggregate_tokens", "answers and tokens exchanged", _aggregate_by_another_mode),
    Mistake("aggregate_tokens", "the mean over padding", _aggregate_over_padding),
    Mistake("aggregate_tokens", "not divided by the answers", partial(_aggregate, answers=False)),
    Mistake("aggregate_tokens", "the mask as a factor", partial(_aggregate, product=True)),
    Mistake("aggregate_tokens", "accepts any mode", _aggregate, only_checks=True),
    Mistake("sequence_ratio", "the arithmetic mean", partial(_ratio, arithmetic=True)),
    Mistake("sequence_ratio", "divided by the width", partial(_ratio, count=lambda valid: valid.shape[1])),
    Mistake("sequence_ratio", "the square root", partial(_ratio, count=lambda valid: 2)),
    Mistake("sequence_ratio", "masked tokens counted", lambda log_probs, old_log_probs, mask, *, length_normalized: (
        right.sequence_ratio(log_probs, old_log_probs, torch.ones_like(mask), length_normalized=length_normalized))),
    Mistake("sequence_ratio", "turned over", lambda log_probs, old_log_probs, mask, *, length_normalized: (
        right.sequence_ratio(old_log_probs, log_probs, mask, length_normalized=length_normalized))),
    Mistake("sequence_ratio", "without a gradient", lambda log_probs, old_log_probs, mask, *, length_normalized: (
        right.sequence_ratio(log_probs.detach(), old_log_probs, mask, length_normalized=length_normalized)
        + 0 * log_probs.masked_fill(mask == 0, 0).sum(1))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("leave_one_out_advantages", "the sum of the others, as trl writes it", _baseline, core_alone=True),
    Mistake("group_normalized_advantages", "the mean square of distances", _normalized, core_alone=True),
    Mistake("group_token_loss", "as the papers write it", _token_loss, core_alone=True),
    Mistake("aggregate_tokens", "three formulas", _aggregate, core_alone=True),
    Mistake("sequence_ratio", "the exponential of a masked mean", _ratio, core_alone=True),
)
