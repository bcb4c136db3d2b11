"""Wrong forms of values, operators and occupancies that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.reinforcement import markov_decision as right
from tests.support.mistakes import Mistake


def _policy(log_probs):
    return log_probs.exp()


def _value_by_sweeps(transition, reward, policy_log_probs, *, discount):
    """A hundred sweeps: enough at a discount of 0.6, far from enough at 0.999."""
    value = torch.zeros_like(reward[:, 0])
    for _ in range(100):
        value = right.bellman_operator(value, transition, reward, policy_log_probs, discount=discount)
    return value


def _value_of_next_rewards(transition, reward, policy_log_probs, *, discount):
    moves = right.policy_transition(transition, policy_log_probs)
    paid = moves @ (_policy(policy_log_probs) * reward).sum(1)
    return torch.linalg.solve(torch.eye(len(paid), dtype=paid.dtype) - discount * moves, paid)


def _value_transposed(transition, reward, policy_log_probs, *, discount):
    moves = right.policy_transition(transition, policy_log_probs)
    paid = (_policy(policy_log_probs) * reward).sum(1)
    return torch.linalg.solve(torch.eye(len(paid), dtype=paid.dtype) - discount * moves.T, paid)


def _value_without_checks(transition, reward, policy_log_probs, *, discount):
    moves = torch.einsum("sa,sat->st", policy_log_probs.exp(), transition)
    return torch.linalg.solve(torch.eye(len(moves)).to(moves) - discount * moves, (policy_log_probs.exp() * reward).sum(1))


def _occupancy(initial, transition, policy_log_probs, *, discount, transposed=True, share=True):
    moves = right.policy_transition(transition, policy_log_probs)
    system = torch.eye(len(moves), dtype=moves.dtype) - discount * (moves.T if transposed else moves)
    return (1 - discount if share else 1.0) * torch.linalg.solve(system, initial)


def _soft(value, transition, reward, reference_log_probs, *, discount, temperature, outside=True, inside=True):
    values = right.action_value(value, transition, reward, discount=discount)
    exponents = reference_log_probs + (values / temperature if inside else values)
    return (temperature if outside else 1.0) * exponents.logsumexp(1)


def _soft_by_exponentials(value, transition, reward, reference_log_probs, *, discount, temperature):
    values = right.action_value(value, transition, reward, discount=discount)
    return temperature * (reference_log_probs.exp() * (values / temperature).exp()).sum(1).log()


def _soft_over_all_actions(value, transition, reward, reference_log_probs, *, discount, temperature):
    """The best action is subtracted, also where the reference never takes it: at a low temperature nothing else remains."""
    values = right.action_value(value, transition, reward, discount=discount)
    best = values.max(1, keepdim=True).values
    weights = reference_log_probs.exp() * ((values - best) / temperature).exp()
    return best[:, 0] + temperature * weights.sum(1).log()


def _value_by_inverse(transition, reward, policy_log_probs, *, discount):
    system = torch.eye(len(transition), dtype=transition.dtype) - discount * right.policy_transition(transition, policy_log_probs)
    return torch.linalg.inv(system) @ (policy_log_probs.exp() * reward).sum(1)


MISTAKES = (
    Mistake("policy_transition", "transposed", lambda transition, policy_log_probs: (
        right.policy_transition(transition, policy_log_probs).T)),
    Mistake("policy_transition", "mean over the actions", lambda transition, policy_log_probs: (
        transition.mean(1) + 0 * policy_log_probs.nan_to_num(neginf=0.0).sum())),
    Mistake("policy_transition", "log-probabilities as weights", lambda transition, policy_log_probs: (
        torch.einsum("sa,sat->st", policy_log_probs, transition))),
    Mistake("policy_value", "the chain transposed", _value_transposed),
    Mistake("policy_value", "the reward of the next state", _value_of_next_rewards),
    Mistake("policy_value", "a hundred sweeps in place of the solution", _value_by_sweeps),
    Mistake("policy_value", "averaged over discounted time", lambda transition, reward, policy_log_probs, *, discount: (
        (1 - discount) * right.policy_value(transition, reward, policy_log_probs, discount=discount))),
    Mistake("policy_value", "accepts any probabilities and discounts", _value_without_checks, only_checks=True),
    Mistake("action_value", "the reward discounted, too", lambda value, transition, reward, *, discount: (
        discount * (reward + transition @ value))),
    Mistake("action_value", "states summed before, not after", lambda value, transition, reward, *, discount: (
        reward + discount * torch.einsum("sat,s->ta", transition, value))),
    Mistake("bellman_operator", "the best action", lambda value, transition, reward, policy_log_probs, *, discount: (
        right.bellman_optimality_operator(value, transition, reward, discount=discount) + 0 * policy_log_probs.exp().sum())),
    Mistake("bellman_operator", "the reward without the policy",
            lambda value, transition, reward, policy_log_probs, *, discount: (
                reward.mean(1) + discount * right.policy_transition(transition, policy_log_probs) @ value)),
    Mistake("bellman_optimality_operator", "mean over the actions", lambda value, transition, reward, *, discount: (
        right.action_value(value, transition, reward, discount=discount).mean(1))),
    Mistake("bellman_optimality_operator", "maximum over states", lambda value, transition, reward, *, discount: (
        right.action_value(value, transition, reward, discount=discount).amax(0))),
    Mistake("soft_bellman_operator", "temperature outside only", lambda *given, **numbers: (
        _soft(*given, **numbers, inside=False))),
    Mistake("soft_bellman_operator", "temperature inside only", lambda *given, **numbers: (
        _soft(*given, **numbers, outside=False))),
    Mistake("soft_bellman_operator", "reference forgotten",
            lambda value, transition, reward, reference_log_probs, **numbers: (
                _soft(value, transition, reward, 0 * reference_log_probs.exp(), **numbers))),
    Mistake("soft_bellman_operator", "overflows at a low temperature", _soft_by_exponentials),
    Mistake("soft_bellman_operator", "underflows where the reference never takes the best action", _soft_over_all_actions),
    Mistake("state_occupancy", "without the transpose", lambda *given, **numbers: (
        _occupancy(*given, **numbers, transposed=False))),
    Mistake("state_occupancy", "without 1 - discount", lambda *given, **numbers: _occupancy(*given, **numbers, share=False)),
    Mistake("state_occupancy", "accepts an initial law off the simplex", _occupancy, only_checks=True),
)  # fmt: skip

EQUIVALENT = (Mistake("policy_value", "by the inverse", _value_by_inverse, core_alone=True),)
