"""Learning values from single transitions: TD(0) on a table, the targets of Q-learning and SARSA, and least squares on features.

A transition goes from a state to the next one and pays a reward; terminal is 1 if it ended its episode. What is given for the
state behind an end is never read: it may be anything.
"""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_binary,
    require_integers,
    require_log_probs,
    require_one_each,
    require_rank,
    require_shape,
    require_share,
    require_values,
    values_are_free,
)

SINGULAR = "features, {} rows of {}, make a singular system; their columns must be independent, over at least as many rows"


def td_update(value, state, reward, next_state, terminal, *, discount, step_size):
    r"""v, but v(s) is moved by step_size (r + discount (1 - d) v(s') - v(s)): TD(0), after one transition from s to s'.

    d = terminal. Only the value of the state that was left changes: the target is held constant.

    Raises ValueError if the shapes differ, state or next_state is no integer in 0..S-1, terminal is not 0 or 1, or discount or
    step_size is not in [0, 1].
    Source: Sutton 1988; Sutton & Barto 2018, eq. 6.2.
    [S], [], [], [], [] -> [S]
    """
    require_share(discount=discount, step_size=step_size)
    require_rank(1, value=value)
    state, next_state, terminal = (torch.as_tensor(part, device=value.device) for part in (state, next_state, terminal))
    require_shape((), state=state, reward=reward, next_state=next_state, terminal=terminal)
    require_integers(state=state, next_state=next_state)
    for name, index in (("state", state), ("next_state", next_state)):
        require_values(name, index, lambda i: (i >= 0) & (i < len(value)), f"a state, in 0..{len(value) - 1}")
    require_binary(terminal=terminal)
    state = as_int64(state)
    here, following = value[torch.stack((state, as_int64(next_state)))]
    error = reward + discount * following.masked_fill(terminal != 0, 0) - here
    return value.index_add(0, state.reshape(1), (step_size * error).reshape(1))


def q_learning_target(reward, next_action_values, terminal, *, discount):
    r"""r + discount (1 - d) max_a q(s',a), with d = terminal: what the best action of the next state promises.

    A loss holds the target constant: the caller stops its gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, terminal holds anything but 0 and 1, or discount is
    not in [0, 1].  Source: Watkins & Dayan 1992, eq. 1.
    [B], [B, A], [B] -> [B]
    """
    (following,) = _require_step(reward, terminal, discount, next_action_values=next_action_values)
    return torch.add(reward, following.amax(1), alpha=discount)


def expected_sarsa_target(reward, next_action_values, next_log_probs, terminal, *, discount):
    r"""r + discount (1 - d) sum_a pi(a|s') q(s',a), with d = terminal: what the policy's next action promises on average.

    An action of probability 0 does not count, for any value. A loss holds the target constant: the caller stops its
    gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, a row of next_log_probs does not sum to one,
    terminal holds anything but 0 and 1, or discount is not in [0, 1].
    Source: van Seijen et al. 2009, eq. 3; Sutton & Barto 2018, eq. 6.9.
    [B], [B, A], [B, A], [B] -> [B]
    """
    (following,) = _require_step(reward, terminal, discount, next_action_values=next_action_values)
    require_shape(next_action_values.shape, next_log_probs=next_log_probs)
    require_log_probs(next_log_probs=next_log_probs)
    possible = following.masked_fill(next_log_probs == -torch.inf, 0)
    return torch.add(reward, torch.linalg.vecdot(next_log_probs.exp(), possible), alpha=discount)


def double_q_target(reward, next_action_values, next_target_values, terminal, *, discount):
    r"""r + discount (1 - d) q'(s', argmax_a q(s',a)), with d = terminal: one estimate selects the action, another evaluates it.

    q = next_action_values selects, q' = next_target_values evaluates; of equal values the one with the lowest index is selected.
    A loss holds the target constant: the caller stops its gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, terminal holds anything but 0 and 1, or discount is
    not in [0, 1].  Source: van Hasselt 2010, algorithm 1; van Hasselt et al. 2016, eq. 4.
    [B], [B, A], [B, A], [B] -> [B]
    """
    selecting, evaluating = _require_step(
        reward, terminal, discount, next_action_values=next_action_values, next_target_values=next_target_values
    )
    best = selecting.max(1, keepdim=True).indices  # of equal values the first, which argmax does not promise
    return torch.add(reward, evaluating.gather(1, best).squeeze(1), alpha=discount)


def least_squares_value(features, next_features, reward, *, discount):
    r"""w = (Phi^T (Phi - discount Phi'))^-1 Phi^T r: at v(s) = features(s) w the mean of features times TD errors is zero.

    This is the fixed point of TD(0) on these transitions. Phi = features of the states that were left, Phi' = next_features, 0
    where the transition ended its episode.

    Raises ValueError if the shapes differ, Phi^T (Phi - discount Phi') is singular (features that depend on each other, or fewer
    transitions than features), or discount is not in [0, 1].  Source: Bradtke & Barto 1996, eq. 9.
    [N, K], [N, K], [N] -> [K]
    """
    require_share(discount=discount)
    require_rank(2, features=features)
    require_shape(features.shape, next_features=next_features)
    require_one_each(features, reward=reward)
    require(features.shape[1] > 0, f"features has shape {list(features.shape)}; it must have at least one column")
    system = features.mT @ (features - discount * next_features)
    if values_are_free(system):
        require(_is_regular(system, features, next_features, discount), SINGULAR.format(*features.shape))
    return torch.linalg.solve(system, features.mT @ reward)


def _require_step(reward, terminal, discount, **action_values):
    """The action values, [B, A] each, with 0 behind an end."""
    require_share(discount=discount)
    require_rank(1, reward=reward)
    require_rank(2, **action_values)
    for name, values in action_values.items():
        require(values.shape[1] > 0, f"{name} has shape {list(values.shape)}; it must have at least one action")
    actions = action_values["next_action_values"].shape[1]
    require_shape((len(reward), actions), **action_values)
    require_one_each(reward, terminal=terminal)
    require_binary(terminal=terminal)
    ended = (terminal != 0).unsqueeze(1)
    return [values.masked_fill(ended, 0) for values in action_values.values()]


@torch.no_grad()
def _is_regular(system, features, next_features, discount):
    """Whether the smallest singular value of the system is more than the rounding of the sums in it."""
    size = torch.linalg.norm(features)
    rounding = torch.finfo(system.dtype).eps * size * (size + discount * torch.linalg.norm(next_features))
    return bool(torch.linalg.svdvals(system)[-1] > 10 * len(system) * rounding)
