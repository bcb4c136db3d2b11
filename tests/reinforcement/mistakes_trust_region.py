"""Wrong forms of trust regions that the rows must refuse."""

import torch

from practice_torch.reinforcement import trust_region as right
from practice_torch.reinforcement.markov_decision import action_value, policy_value, state_occupancy
from tests.support.mistakes import Mistake


def _gain(initial, transition, reward, policy_log_probs, old_log_probs, *, discount, states="new", advantages="old", whole=True):
    """1/(1 - discount) sum d pi A, with the occupancy or the advantages of another policy."""
    policies = {"new": policy_log_probs, "old": old_log_probs}
    value = policy_value(transition, reward, policies[advantages], discount=discount)
    gains = (policy_log_probs.exp() * (action_value(value, transition, reward, discount=discount) - value[:, None])).sum(1)
    visited = state_occupancy(initial, transition, policies[states], discount=discount) if states in policies else initial
    return visited @ gains / (1 - discount if whole else 1)


def _surrogate(initial, transition, reward, policy_log_probs, old_log_probs, *, discount, **wrong):
    value = policy_value(transition, reward, old_log_probs, discount=discount)
    gain = _gain(initial, transition, reward, policy_log_probs, old_log_probs, discount=discount, **{"states": "old"} | wrong)
    return initial @ value + gain


def _bound(
    initial,
    transition,
    reward,
    policy_log_probs,
    old_log_probs,
    *,
    discount,
    worst=torch.amax,
    kl=right.policy_kl,
    power=2,
    factor=4.0,
    over_states=torch.amax,
):
    surrogate = right.surrogate_objective(initial, transition, reward, policy_log_probs, old_log_probs, discount=discount)
    value = policy_value(transition, reward, old_log_probs, discount=discount)
    advantages = action_value(value, transition, reward, discount=discount) - value[:, None]
    constant = factor * worst(advantages.abs()) * discount / (1 - discount) ** power
    return surrogate - constant * over_states(kl(policy_log_probs, old_log_probs))


def _fixed_states(**process):
    slope = _gain(**process, states="old")
    return right.performance_difference(**process).detach() + slope - slope.detach()


def _turned_over(log_probs, old_log_probs):
    return right.policy_kl(old_log_probs, log_probs)


def _kl_with_nan(log_probs, old_log_probs):
    return (old_log_probs.exp() * (old_log_probs - log_probs)).sum(1)


def _changed(**wrong):
    return lambda *given, **more: _gain(*given, **more, **wrong)


def _surrogate_changed(**wrong):
    return lambda *given, **more: _surrogate(*given, **more, **wrong)


def _bound_changed(**wrong):
    return lambda *given, **more: _bound(*given, **more, **wrong)


MISTAKES = (
    Mistake("surrogate_objective", "the new policy's states", _surrogate_changed(states="new")),
    Mistake("surrogate_objective", "the initial law for the occupancy", _surrogate_changed(states="initial")),
    Mistake("surrogate_objective", "without 1 / (1 - discount)", _surrogate_changed(whole=False)),
    Mistake("surrogate_objective", "the new policy's advantages", _surrogate_changed(advantages="new")),
    Mistake("surrogate_objective", "without the old return", lambda *given, **more: _gain(*given, **more, states="old")),
    Mistake("performance_difference", "the old policy's states", _changed(states="old")),
    Mistake("performance_difference", "the new policy's advantages", _changed(advantages="new")),
    Mistake("performance_difference", "without 1 / (1 - discount)", _changed(whole=False)),
    Mistake("performance_difference", "old less new", lambda *given, **more: -right.performance_difference(*given, **more)),
    Mistake("performance_difference", "the occupancy held fixed in the gradient", _fixed_states),
    Mistake("policy_kl", "new from old", _turned_over),
    Mistake("policy_kl", "NaN where the old policy gives an action up", _kl_with_nan),
    Mistake("policy_kl", "the mean over the states", lambda **given: right.policy_kl(**given).mean()),
    Mistake("policy_total_variation", "without the half", lambda **given: 2 * right.policy_total_variation(**given)),
    Mistake(
        "policy_total_variation",
        "the largest difference of one action",
        lambda log_probs, old_log_probs: (log_probs.exp() - old_log_probs.exp()).abs().amax(1),
    ),
    Mistake(
        "policy_total_variation",
        "of the logarithms",
        lambda log_probs, old_log_probs: (log_probs - old_log_probs).abs().sum(1) / 2,
    ),
    Mistake("improvement_bound", "the mean of the advantages", _bound_changed(worst=torch.mean)),
    Mistake("improvement_bound", "KL of the new from the old", _bound_changed(kl=_turned_over)),
    Mistake(
        "improvement_bound",
        "the square of the total variation",
        _bound_changed(kl=lambda new, old: right.policy_total_variation(new, old) ** 2),
    ),
    Mistake("improvement_bound", "1 - discount not squared", _bound_changed(power=1)),
    Mistake("improvement_bound", "2 in place of 4, which holds as well", _bound_changed(factor=2.0)),
    Mistake("improvement_bound", "the mean over the states", _bound_changed(over_states=torch.mean)),
    Mistake("improvement_bound", "0 times infinity at discount 0", _bound),
)
