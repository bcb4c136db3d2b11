"""Temporal-difference learning (lecture 49): values from single transitions, without knowing the process.

A transition goes from a state to the next one and pays a reward; terminal is 1 if it ended its episode. What is given for the
state behind an end is never read: it may be anything.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_binary,
    require_integers,
    require_log_probs,
    require_one_each,
    require_rank,
    require_shape,
    require_share,
    require_values,
    widened,
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
    require_shape((), state=state, reward=reward, next_state=next_state, terminal=terminal)
    require_integers(state=state, next_state=next_state)
    count = len(value)
    for name, index in {"state": state, "next_state": next_state}.items():
        require_values(name, index, lambda i: (i >= 0) & (i < count), f"a state, in 0..{count - 1}")
    require_binary(terminal=terminal)
    value, state = jnp.asarray(value), widened(state)
    following = jnp.where(terminal != 0, 0, value[widened(next_state)])
    return value.at[state].add(step_size * (reward + discount * following - value[state]))


def q_learning_target(reward, next_action_values, terminal, *, discount):
    r"""r + discount (1 - d) max_a q(s',a), with d = terminal: what the best action of the next state promises.

    A loss holds the target constant: the caller stops its gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, terminal holds anything but 0 and 1, or discount is
    not in [0, 1].  Source: Watkins & Dayan 1992, eq. 1.
    [B], [B, A], [B] -> [B]
    """
    ended = _require_step(reward, terminal, discount, next_action_values=next_action_values)
    return reward + discount * jnp.max(jnp.where(ended, 0, next_action_values), axis=1)


def expected_sarsa_target(reward, next_action_values, next_log_probs, terminal, *, discount):
    r"""r + discount (1 - d) sum_a pi(a|s') q(s',a), with d = terminal: what the policy's next action promises on average.

    An action of probability 0 does not count, for any value. A loss holds the target constant: the caller stops its
    gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, a row of next_log_probs does not sum to one,
    terminal holds anything but 0 and 1, or discount is not in [0, 1].
    Source: van Seijen et al. 2009, eq. 3; Sutton & Barto 2018, eq. 6.9.
    [B], [B, A], [B, A], [B] -> [B]
    """
    ended = _require_step(reward, terminal, discount, next_action_values=next_action_values)
    require_shape(next_action_values.shape, next_log_probs=next_log_probs)
    require_log_probs(next_log_probs=next_log_probs)
    counted = jnp.where(ended | jnp.isneginf(next_log_probs), 0, next_action_values)
    return reward + discount * jnp.sum(jnp.exp(next_log_probs) * counted, axis=1)


def double_q_target(reward, next_action_values, next_target_values, terminal, *, discount):
    r"""r + discount (1 - d) q'(s', argmax_a q(s',a)), with d = terminal: one estimate selects the action, another evaluates it.

    q = next_action_values selects, q' = next_target_values evaluates; of equal values the one with the lowest index is selected.
    A loss holds the target constant: the caller stops its gradient.

    Raises ValueError if the shapes differ, next_action_values has no action, terminal holds anything but 0 and 1, or discount is
    not in [0, 1].  Source: van Hasselt 2010, algorithm 1; van Hasselt et al. 2016, eq. 4.
    [B], [B, A], [B, A], [B] -> [B]
    """
    ended = _require_step(
        reward, terminal, discount, next_action_values=next_action_values, next_target_values=next_target_values
    )
    best = jnp.argmax(next_action_values, axis=1)[:, None]
    return reward + discount * jnp.take_along_axis(jnp.where(ended, 0, next_target_values), best, axis=1)[:, 0]


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
    system = features.T @ (features - discount * next_features)
    if not isinstance(system, jax.core.Tracer):
        require(_is_regular(system, features, next_features, discount), SINGULAR.format(*features.shape))
    return jnp.linalg.solve(system, features.T @ reward)


def _require_step(reward, terminal, discount, **action_values):
    """Whether each transition ended its episode, [B, 1], of arguments that fit; action_values: [B, A] each."""
    require_share(discount=discount)
    require_rank(1, reward=reward)
    require_rank(2, **action_values)
    for name, values in action_values.items():
        require(values.shape[1] > 0, f"{name} has shape {list(values.shape)}; it must have at least one action")
    actions = action_values["next_action_values"].shape[1]
    require_shape((len(reward), actions), **action_values)
    require_one_each(reward, terminal=terminal)
    require_binary(terminal=terminal)
    return (jnp.asarray(terminal) != 0)[:, None]


def _is_regular(system, features, next_features, discount):
    """Whether the smallest singular value of the system is more than the rounding of the sums in it."""
    size = np.linalg.norm(features)
    rounding = np.finfo(system.dtype).eps * size * (size + discount * np.linalg.norm(next_features))
    return np.linalg.svd(np.asarray(system), compute_uv=False)[-1] > 10 * len(system) * rounding
