"""Wrong forms of temporal-difference learning that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.reinforcement import temporal_difference as right
from tests.support.mistakes import Mistake


def _update(value, state, reward, next_state, terminal, *, discount, step_size, through_target=False):
    """TD(0) as a table is usually updated; through_target: down the gradient of the squared error, in both of its values."""
    s, t = state.long(), next_state.long()
    going_on = 1 - terminal.to(value.dtype)
    error = reward + discount * going_on * value[t] - value[s]
    moved = value.clone()
    moved[s] = moved[s] + step_size * error
    if through_target:
        moved[t] = moved[t] - step_size * discount * going_on * error
    return moved


def _best(reward, next_action_values, terminal, *, discount):
    return reward + discount * (1 - terminal.to(reward.dtype)) * next_action_values.amax(1)


def _following(terminal, values):
    return values.masked_fill((terminal != 0).unsqueeze(1), 0)


def _mean_of(reward, next_action_values, next_log_probs, terminal, *, discount, counted=lambda values, log_probs: values):
    """counted: what counts of the values. Of all of them, probability 0 times a value of -inf is not a number."""
    following = counted(_following(terminal, next_action_values), next_log_probs)
    return reward + discount * (next_log_probs.exp() * following).sum(1)


def _last_of_equal(reward, next_action_values, next_target_values, terminal, *, discount):
    best = next_action_values.flip(1).max(1, keepdim=True).indices
    following = _following(terminal, next_target_values).flip(1).gather(1, best).squeeze(1)
    return reward + discount * following


def _solved(left, next_features, features, reward, discount):
    return torch.linalg.solve(left.mT @ (features - discount * next_features), left.mT @ reward)


def _residual(features, next_features, reward, *, discount):
    """The minimum of the squared errors, target included."""
    difference = features - discount * next_features
    return _solved(difference, next_features, features, reward, discount)


def _refusing(features, next_features, reward, *, discount, below):
    """Solves unless the smallest singular value is below this many roundings of the system's sums."""
    right.least_squares_value(features, next_features, reward, discount=discount)  # its checks
    system, size = features.mT @ (features - discount * next_features), torch.linalg.norm(features)
    rounding = torch.finfo(system.dtype).eps * size * (size + discount * torch.linalg.norm(next_features))
    if torch.linalg.svdvals(system)[-1] <= below * len(system) * rounding:
        raise ValueError("features make a singular system")
    return torch.linalg.solve(system, features.mT @ reward)


MISTAKES = (
    Mistake("td_update", "the gradient through the target", lambda **given: _update(**given, through_target=True)),
    Mistake("td_update", "bootstraps over the end", lambda terminal, **given: (
        _update(**given, terminal=torch.zeros_like(terminal)))),
    Mistake("td_update", "nothing learned of the end", lambda value, terminal, **given: (
        torch.where(terminal != 0, value, _update(value=value, terminal=terminal, **given)))),
    Mistake("td_update", "the next state's value moved", lambda value, state, next_state, **given: (
        _update(value=value, state=next_state, next_state=state, **given))),
    Mistake("td_update", "the target detached", lambda value, state, reward, next_state, terminal, *, discount, step_size: (
        value + (_update(value.detach(), state, reward, next_state, terminal, discount=discount, step_size=step_size)
                 - value.detach()))),
    Mistake("td_update", "the reward discounted, too", lambda reward, discount, **given: (
        _update(**given, reward=discount * reward, discount=discount))),
    Mistake("td_update", "accepts any state, step and discount", _update, only_checks=True),
    Mistake("q_learning_target", "bootstraps over the end", lambda terminal, **given: (
        right.q_learning_target(**given, terminal=torch.zeros_like(terminal)))),
    Mistake("q_learning_target", "the mean over the actions", lambda reward, next_action_values, terminal, *, discount: (
        reward + discount * _following(terminal, next_action_values).mean(1))),
    Mistake("q_learning_target", "the target detached", lambda reward, next_action_values, terminal, *, discount: (
        right.q_learning_target(reward, next_action_values.detach(), terminal, discount=discount))),
    Mistake("q_learning_target", "the end as a factor", _best),
    Mistake("q_learning_target", "the end inverted bit by bit", lambda reward, next_action_values, terminal, *, discount: (
        reward + discount * (next_action_values.amax(1)).masked_fill((~terminal) == 0, 0))),
    Mistake("expected_sarsa_target", "the best action", lambda next_log_probs, **given: (
        right.q_learning_target(**given) + 0 * next_log_probs.exp().sum())),
    Mistake("expected_sarsa_target", "the mean over the actions",
            lambda reward, next_action_values, next_log_probs, terminal, *, discount: (
                reward + discount * _following(terminal, next_action_values.nan_to_num(neginf=0.0)).mean(1)
                + 0 * next_log_probs.exp().sum())),
    Mistake("expected_sarsa_target", "bootstraps over the end", lambda terminal, **given: (
        right.expected_sarsa_target(**given, terminal=torch.zeros_like(terminal)))),
    Mistake("expected_sarsa_target", "a value of -inf counts for an action that is never taken", _mean_of),
    Mistake("expected_sarsa_target", "the value -inf of an action that is taken does not count",
            partial(_mean_of, counted=lambda values, log_probs: values.nan_to_num(neginf=0.0, posinf=0.0))),
    Mistake("expected_sarsa_target", "only the value -inf of an action that is never taken does not count",
            partial(_mean_of, counted=lambda values, log_probs: (
                values.masked_fill((log_probs == -torch.inf) & (values == -torch.inf), 0.0)))),
    Mistake("expected_sarsa_target", "policy detached", lambda next_log_probs, **given: (
        right.expected_sarsa_target(**given, next_log_probs=next_log_probs.detach()))),
    Mistake("double_q_target", "the roles exchanged", lambda next_action_values, next_target_values, **given: (
        right.double_q_target(**given, next_action_values=next_target_values, next_target_values=next_action_values))),
    Mistake("double_q_target", "the largest of the second estimate", lambda next_action_values, next_target_values, **given: (
        right.q_learning_target(**given, next_action_values=next_target_values))),
    Mistake("double_q_target", "the largest of the first estimate", lambda next_target_values, **given: (
        right.q_learning_target(**given))),
    Mistake("double_q_target", "the smaller of both maxima", lambda next_action_values, next_target_values, **given: (
        torch.minimum(right.q_learning_target(**given, next_action_values=next_action_values),
                      right.q_learning_target(**given, next_action_values=next_target_values)))),
    Mistake("double_q_target", "the last of equal values", _last_of_equal),
    Mistake("double_q_target", "bootstraps over the end", lambda terminal, **given: (
        right.double_q_target(**given, terminal=torch.zeros_like(terminal)))),
    Mistake("least_squares_value", "the gradient through the target", _residual),
    Mistake("least_squares_value", "what follows on the left", lambda features, next_features, reward, *, discount: (
        _solved(next_features + 1e-3 * features, next_features, features, reward, discount))),
    Mistake("least_squares_value", "the system transposed", lambda features, next_features, reward, *, discount: (
        torch.linalg.solve((features.mT @ (features - discount * next_features)).mT, features.mT @ reward))),
    Mistake("least_squares_value", "a ridge", lambda features, next_features, reward, *, discount: (
        torch.linalg.solve(features.mT @ (features - discount * next_features) + 1e-3 * torch.eye(features.shape[1]).to(features),
                           features.mT @ reward))),
    Mistake("least_squares_value", "takes features of unequal sizes for dependent ones",
            partial(_refusing, below=1000.0)),
    Mistake("least_squares_value", "any solution of a singular system", lambda features, next_features, reward, *, discount: (
        torch.linalg.pinv(features.mT @ (features - discount * next_features)) @ (features.mT @ reward)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("td_update", "as a table is usually updated", _update, core_alone=True),
    Mistake(
        "least_squares_value",
        "by the inverse",
        lambda features, next_features, reward, *, discount: (
            torch.linalg.inv(features.mT @ (features - discount * next_features)) @ (features.mT @ reward)
        ),
        core_alone=True,
    ),
)
