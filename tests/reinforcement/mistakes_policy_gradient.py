"""Wrong forms of policy gradients that the rows must refuse."""

import torch

from practice_torch.reinforcement import policy_gradient as right
from practice_torch.reinforcement.markov_decision import action_value, policy_value, state_occupancy
from tests.support.mistakes import Mistake


def _gradient(initial, transition, reward, policy_logits, *, discount, visited=True, whole=True, centered=True, policy=True):
    """The theorem, with one of its factors left out."""
    log_probs = policy_logits.log_softmax(1)
    probs = log_probs.exp()
    worth = action_value(policy_value(transition, reward, log_probs, discount=discount), transition, reward, discount=discount)
    if centered:
        worth = worth - (probs * worth).sum(1, keepdim=True)
    states = state_occupancy(initial, transition, log_probs, discount=discount) if visited else initial
    gradient = states[:, None] * worth * (probs if policy else 1.0)
    return gradient / (1 - discount) if whole else gradient


def _objective(initial, transition, reward, policy_logits, *, discount, started=True, share=False):
    value = policy_value(transition, reward, policy_logits.log_softmax(1), discount=discount)
    return (initial @ value if started else value.mean() + 0 * initial.sum()) * (1 - discount if share else 1.0)


def _objective_without_checks(initial, transition, reward, policy_logits, *, discount):
    policy = policy_logits.softmax(1)
    moves = torch.einsum("sa,sat->st", policy, transition)
    return initial @ torch.linalg.solve(torch.eye(len(moves)).to(moves) - discount * moves, (policy * reward).sum(1))


def _samples(rewards, logits, baseline, *, sign=-1.0):
    scores = torch.eye(len(logits), dtype=logits.dtype) - logits.softmax(0)
    return scores * (rewards + sign * baseline)[:, None]


def _baseline(rewards, logits, *, power=2):
    """By products of probabilities, which are 0 where the policy is certain."""
    probs = logits.softmax(0)
    norms = (torch.eye(len(logits), dtype=logits.dtype) - probs).square().sum(1).clamp(min=1e-30) ** (power / 2)
    return (probs * norms * rewards).sum() / (probs * norms).sum()


def _loss(log_probs, weights, mask):
    return -(torch.where(mask != 0, weights, 0.0) * torch.where(mask != 0, log_probs, 0.0))


def _entropy(logits):
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs.masked_fill(log_probs == -torch.inf, 0)).sum(-1)


def _entropy_with_nan(logits):
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs).sum(-1)


def _entropy_with_nan_gradient(logits):
    """Masked after the product: the value is right where pi = 0, the gradient is NaN."""
    log_probs = logits.log_softmax(-1)
    return -torch.where(log_probs == -torch.inf, 0.0, log_probs.exp() * log_probs).sum(-1)


MISTAKES = (
    Mistake("policy_objective", "mean over the states", lambda **process: _objective(**process, started=False)),
    Mistake("policy_objective", "averaged over discounted time", lambda **process: _objective(**process, share=True)),
    Mistake(
        "policy_objective",
        "the logits exponentiated twice",
        lambda initial, transition, reward, policy_logits, *, discount: right.policy_objective(
            initial, transition, reward, policy_logits.exp(), discount=discount
        ),
    ),
    Mistake("policy_objective", "accepts any initial law and discount", _objective_without_checks, only_checks=True),
    Mistake("policy_gradient", "the initial law for the occupancy", lambda **process: _gradient(**process, visited=False)),
    Mistake("policy_gradient", "without 1 / (1 - discount)", lambda **process: _gradient(**process, whole=False)),
    Mistake("policy_gradient", "Q in place of the advantage", lambda **process: _gradient(**process, centered=False)),
    Mistake("policy_gradient", "without the policy", lambda **process: _gradient(**process, policy=False)),
    Mistake("policy_gradient", "descends", lambda **process: -right.policy_gradient(**process)),
    Mistake("bandit_gradient_samples", "baseline added", lambda **given: _samples(**given, sign=1.0)),
    Mistake("bandit_gradient_samples", "no baseline", lambda **given: _samples(**given, sign=0.0)),
    Mistake("bandit_gradient_samples", "transposed", lambda **given: right.bandit_gradient_samples(**given).T),
    Mistake(
        "bandit_gradient_samples",
        "weighed by the policy, as if enumerated",
        lambda rewards, logits, baseline: right.bandit_gradient_samples(rewards, logits, baseline) * logits.softmax(0)[:, None],
    ),
    Mistake("bandit_gradient_samples", "accepts a baseline for each action", _samples, only_checks=True),
    Mistake("optimal_constant_baseline", "the mean reward", lambda rewards, logits: logits.softmax(0) @ rewards),
    Mistake("optimal_constant_baseline", "the norm not squared", lambda **given: _baseline(**given, power=1)),
    Mistake("optimal_constant_baseline", "0 / 0 where the policy is nearly certain", _baseline),
    Mistake(
        "score_function_loss",
        "the mean over the steps",
        lambda log_probs, weights, mask: _loss(log_probs, weights, mask).sum(1) / (mask != 0).sum(1).clamp(min=1),
    ),
    Mistake("score_function_loss", "maximized", lambda **given: -_loss(**given).sum(1)),
    Mistake("score_function_loss", "the mask ignored", lambda log_probs, weights, mask: -(log_probs * weights).sum(1)),
    Mistake("score_function_loss", "the mask as a factor", lambda log_probs, weights, mask: -(mask * log_probs * weights).sum(1)),
    Mistake(
        "score_function_loss",
        "the probability in place of its logarithm",
        lambda log_probs, weights, mask: _loss(log_probs.exp(), weights, mask).sum(1),
    ),
    Mistake("score_function_loss", "one number for the batch", lambda **given: _loss(**given).sum()),
    Mistake("policy_entropy", "in bits", lambda logits: right.policy_entropy(logits) / torch.log(torch.tensor(2.0))),
    Mistake("policy_entropy", "mean over the actions", lambda logits: right.policy_entropy(logits) / logits.shape[-1]),
    Mistake("policy_entropy", "NaN where an action is never taken", _entropy_with_nan),
    Mistake("policy_entropy", "its gradient is NaN there", _entropy_with_nan_gradient),
    Mistake("policy_entropy", "log pi of the best action rounded to 0", _entropy),
)
