"""Wrong forms of the KL-regularized optimum that the rows must refuse, and other right forms that they must accept."""

from practice_torch.preference import kl_optimum as right
from tests.support.mistakes import Mistake


def _frontier(rewards, reference_log_probs, kl_coefficients, turned=False):
    log_p = (reference_log_probs + rewards / kl_coefficients[:, None]).log_softmax(-1)
    pair = (reference_log_probs.expand_as(log_p), log_p) if turned else (log_p, reference_log_probs)
    return log_p.exp() @ rewards, (pair[0].exp() * (pair[0] - pair[1])).nan_to_num(0.0).sum(-1)


def _value(rewards, log_probs, reference_log_probs, *, kl_coefficient, turned=False, sign=-1.0):
    pair = (reference_log_probs, log_probs) if turned else (log_probs, reference_log_probs)
    divergence = (pair[0].exp() * (pair[0] - pair[1])).nan_to_num(0.0).sum(-1)
    return (log_probs.exp() * rewards).sum(-1) + sign * kl_coefficient * divergence


def _unchecked_tilt(rewards, reference_log_probs, *, kl_coefficient):
    return (reference_log_probs + rewards / kl_coefficient).log_softmax(-1)


def _partition_by_exponentials(rewards, reference_log_probs, *, kl_coefficient):
    return (reference_log_probs.exp() * (rewards / kl_coefficient).exp()).sum(-1).log()


def _partition_around_the_best(rewards, reference_log_probs, *, kl_coefficient):
    right.tilted_log_partition(rewards, reference_log_probs, kl_coefficient=kl_coefficient)  # its checks
    best = rewards.detach().amax(-1, keepdim=True)  # a constant: its slopes cancel, but not to the last digit
    return best[:, 0] / kl_coefficient + (reference_log_probs + (rewards - best) / kl_coefficient).logsumexp(-1)


MISTAKES = (
    Mistake("tilted_log_probs", "multiplied by the coefficient", lambda rewards, reference_log_probs, *, kl_coefficient: (
        right.tilted_log_probs(rewards, reference_log_probs, kl_coefficient=1 / kl_coefficient))),
    Mistake("tilted_log_probs", "the reference forgotten", lambda rewards, reference_log_probs, *, kl_coefficient: (
        rewards / kl_coefficient).log_softmax(-1) + 0 * reference_log_probs.exp()),
    Mistake("tilted_log_probs", "the reference left out of the normalizer",
            lambda rewards, reference_log_probs, *, kl_coefficient: (
                reference_log_probs + rewards / kl_coefficient - (rewards / kl_coefficient).logsumexp(-1, keepdim=True))),
    Mistake("tilted_log_probs", "normalized over the prompts", lambda rewards, reference_log_probs, *, kl_coefficient: (
        reference_log_probs + rewards / kl_coefficient).log_softmax(0)),
    Mistake("tilted_log_probs", "accepts any reference and coefficient", _unchecked_tilt, only_checks=True),
    Mistake("tilted_log_partition", "mean in place of the reference", lambda rewards, reference_log_probs, *, kl_coefficient: (
        (rewards / kl_coefficient).exp().mean(-1).log() + 0 * reference_log_probs.exp().sum(-1))),
    Mistake("tilted_log_partition", "times the coefficient", lambda rewards, reference_log_probs, *, kl_coefficient: (
        kl_coefficient * right.tilted_log_partition(rewards, reference_log_probs, kl_coefficient=kl_coefficient))),
    Mistake("tilted_log_partition", "overflows", _partition_by_exponentials),
    Mistake("regularized_value", "divergence turned over", lambda **given: _value(**given, turned=True)),
    Mistake("regularized_value", "divergence added", lambda **given: _value(**given, sign=1.0)),
    Mistake("regularized_value", "coefficient forgotten", lambda **given: _value(**given | {"kl_coefficient": 1.0})),
    Mistake("regularized_value", "finite where the reference never goes", lambda **given: _value(**given).clamp(
        min=-1e30)),
    Mistake("implicit_reward", "turned over", lambda log_probs, reference_log_probs, *, kl_coefficient: (
        right.implicit_reward(reference_log_probs, log_probs, kl_coefficient=kl_coefficient))),
    Mistake("implicit_reward", "divided by the coefficient", lambda log_probs, reference_log_probs, *, kl_coefficient: (
        right.implicit_reward(log_probs, reference_log_probs, kl_coefficient=1 / kl_coefficient))),
    Mistake("implicit_reward", "NaN where neither ever goes", lambda log_probs, reference_log_probs, *, kl_coefficient: (
        kl_coefficient * (log_probs - reference_log_probs))),
    Mistake("reward_kl_frontier", "divergence turned over", lambda **given: _frontier(**given, turned=True)),
    Mistake("reward_kl_frontier", "coefficients used as their inverses", lambda rewards, reference_log_probs, kl_coefficients: (
        right.reward_kl_frontier(rewards, reference_log_probs, 1 / kl_coefficients))),
    Mistake("reward_kl_frontier", "accepts a coefficient of 0", _frontier),
)  # fmt: skip

EQUIVALENT = (Mistake("tilted_log_partition", "around the best reward", _partition_around_the_best),)
