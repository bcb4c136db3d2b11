"""Wrong forms of reward models that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch
from torch.nn.functional import logsigmoid

from practice_torch.preference import reward_model as right
from tests.support.mistakes import Mistake


def _at(index):
    """sequence_reward at another position of each text."""

    def wrong(hidden, mask, weight, bias):
        right.sequence_reward(hidden, mask, weight, bias)  # its checks
        return hidden[torch.arange(len(hidden)), index(mask.bool())] @ weight + bias

    return wrong


def _pooled(hidden, mask, weight, bias):
    right.sequence_reward(hidden, mask, weight, bias)
    counted = mask.bool()[..., None]
    return hidden.masked_fill(~counted, 0.0).sum(1) / counted.sum(1) @ weight + bias


def _unchecked(hidden, mask, weight, bias):
    last = (mask.bool() * torch.arange(1, mask.shape[1] + 1)).argmax(1)
    return hidden[torch.arange(len(hidden)), last] @ weight + bias


def _multiplied_by_the_mask(hidden, mask, weight, bias):
    """A product with 0 keeps NaN."""
    right.sequence_reward(hidden, mask, weight, bias)
    last = (mask.bool() * torch.arange(1, mask.shape[1] + 1)).argmax(1)
    there = torch.arange(mask.shape[1]) == last[:, None]
    return (hidden * there[..., None]).sum(1) @ weight + bias


def _loss(reward_chosen, reward_rejected, *, margin=0.0, center_coefficient=0.0, sign=-1.0, center=torch.add):
    loss = -logsigmoid(reward_chosen - reward_rejected + sign * margin)
    return loss + center_coefficient * center(reward_chosen, reward_rejected) ** 2 if center_coefficient else loss


def _pessimistic(rewards, *, pessimism, correction=0, sign=-1.0, power=1, dim=0):
    return rewards.mean(dim) + sign * pessimism * rewards.std(dim, correction=correction) ** power


def _standardized(rewards, reference_rewards, *, epsilon, correction=0, by=None):
    by = reference_rewards if by is None else by
    deviation = torch.linalg.vector_norm(by - by.mean()) / (len(by) - correction) ** 0.5
    return (rewards - by.mean()) / (deviation + epsilon)


def _square_root(rewards, *, pessimism):
    """Right values; the slope of the root is infinite where the models agree."""
    right.pessimistic_reward(rewards, pessimism=pessimism)
    return rewards.mean(0) - pessimism * (rewards - rewards.mean(0)).square().mean(0).sqrt()


def _from_moments(rewards, *, pessimism):
    """E r^2 - (E r)^2, which cancels."""
    right.pessimistic_reward(rewards, pessimism=pessimism)
    variance = (rewards.square().mean(0) - rewards.mean(0).square()).clamp(min=0)
    return rewards.mean(0) - pessimism * torch.where(variance > 0, variance, 1.0).sqrt() * (variance > 0)


MISTAKES = (
    Mistake("sequence_reward", "the last position", _at(lambda mask: mask.shape[1] - 1)),
    Mistake("sequence_reward", "the number of tokens as an index", _at(lambda mask: mask.sum(1) - 1)),
    Mistake("sequence_reward", "the first token", _at(lambda mask: mask.long().argmax(1))),
    Mistake("sequence_reward", "the first position of padding, as where pad and end share a token", _at(
        lambda mask: ((mask * torch.arange(1, mask.shape[1] + 1)).argmax(1) + 1).clamp(max=mask.shape[1] - 1))),
    Mistake("sequence_reward", "the mean over tokens", _pooled),
    Mistake("sequence_reward", "multiplied by the mask", _multiplied_by_the_mask),
    Mistake("sequence_reward", "bias forgotten", lambda hidden, mask, weight, bias: (
        right.sequence_reward(hidden, mask, weight, 0 * bias))),
    Mistake("sequence_reward", "accepts a text without tokens", _unchecked, only_checks=True),
    Mistake("pairwise_reward_loss", "chosen and rejected swapped", lambda reward_chosen, reward_rejected, **settings: (
        right.pairwise_reward_loss(reward_rejected, reward_chosen, **settings))),
    Mistake("pairwise_reward_loss", "margin added", partial(_loss, sign=1.0)),
    Mistake("pairwise_reward_loss", "centered on the difference", partial(_loss, center=torch.sub)),
    Mistake("pairwise_reward_loss", "each reward centered", partial(_loss, center=torch.hypot)),
    Mistake("pairwise_reward_loss", "the logarithm of a probability that underflowed",
            lambda reward_chosen, reward_rejected, *, margin=0.0, center_coefficient=0.0: (
                -(reward_chosen - reward_rejected - margin).sigmoid().log()
                + center_coefficient * (reward_chosen + reward_rejected) ** 2)),
    Mistake("pairwise_reward_loss", "NaN passes", _loss, only_checks=True),
    Mistake("preference_accuracy", "ties are lost", lambda reward_chosen, reward_rejected: (
        reward_chosen > reward_rejected).to(reward_chosen.dtype)),
    Mistake("preference_accuracy", "the probability", lambda reward_chosen, reward_rejected: (
        reward_chosen - reward_rejected).sigmoid()),
    Mistake("preference_accuracy", "swapped", lambda reward_chosen, reward_rejected: (
        right.preference_accuracy(reward_rejected, reward_chosen))),
    Mistake("preference_accuracy", "NaN has lost", lambda reward_chosen, reward_rejected: (
        (reward_chosen > reward_rejected) + 0.5 * (reward_chosen == reward_rejected)).to(reward_chosen.dtype), only_checks=True),
    Mistake("pessimistic_reward", "sample deviation", lambda rewards, *, pessimism: (
        rewards[0] if len(rewards) == 1 else _pessimistic(rewards, pessimism=pessimism, correction=1))),
    Mistake("pessimistic_reward", "variance", partial(_pessimistic, power=2)),
    Mistake("pessimistic_reward", "optimism", partial(_pessimistic, sign=1.0)),
    Mistake("pessimistic_reward", "the least of the models", lambda rewards, *, pessimism: rewards.amin(0)),
    Mistake("pessimistic_reward", "no slope where models agree", _square_root),
    Mistake("pessimistic_reward", "from two moments", _from_moments),
    Mistake("pessimistic_reward", "accepts any ensemble", _pessimistic, only_checks=True),
    Mistake("standardize_rewards", "sample deviation", partial(_standardized, correction=1)),
    Mistake("standardize_rewards", "by their own mean and deviation", lambda rewards, reference_rewards, *, epsilon: (
        _standardized(rewards, reference_rewards, epsilon=epsilon, by=rewards))),
    Mistake("standardize_rewards", "epsilon below the root", lambda rewards, reference_rewards, *, epsilon: (
        (rewards - reference_rewards.mean()) / (reference_rewards.var(correction=0) + epsilon).sqrt())),
    Mistake("standardize_rewards", "references without a gradient", lambda rewards, reference_rewards, *, epsilon: (
        right.standardize_rewards(rewards, reference_rewards.detach(), epsilon=epsilon))),
    Mistake("standardize_rewards", "accepts anything", _standardized, only_checks=True),
)  # fmt: skip


EQUIVALENT = (
    Mistake("sequence_reward", "through the reversed mask", _at(lambda mask: mask.shape[1] - 1 - mask.flip(1).long().argmax(1))),
    Mistake("pairwise_reward_loss", "trl's lines", _loss, core_alone=True),
    Mistake("standardize_rewards", "by a norm", _standardized, core_alone=True),
)
