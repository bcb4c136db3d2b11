"""Returns and advantages (lectures 49 and 50): how much of the observed future to believe, and how much of a guess.

A row has T steps: rewards[t], values[t] of the state before step t, and values[T], the guess for what follows the row.
terminals[t] is 1 if step t ended its episode: later rewards do not count for it. An episode cut by a time limit has not
ended: its row stops there, and the last value estimates the rest.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_binary,
    require_positive,
    require_rank,
    require_shape,
    require_share,
)


def discounted_returns(rewards, terminals, bootstrap, *, discount):
    r"""G_t = r_t + discount (1 - d_t) G_(t+1), with G_T = bootstrap: the rewards from step t to the end of its episode.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount is not in
    [0, 1].
    Source: Sutton & Barto 2018, eq. 3.9.
    [B, T], [B, T], [B] -> [B, T]
    """
    factors = _factors(rewards, terminals, discount)
    require_shape(rewards.shape[:1], bootstrap=bootstrap)
    return _summed_backwards(rewards, factors, bootstrap)


def temporal_difference_errors(rewards, values, terminals, *, discount):
    r"""delta_t = r_t + discount (1 - d_t) v_(t+1) - v_t: by how much one step was better than the value said.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount is not in
    [0, 1].
    Source: Sutton & Barto 2018, eq. 6.5.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    factors = _factors(rewards, terminals, discount, values)
    return rewards + factors * values[:, 1:] - values[:, :-1]


def n_step_returns(rewards, values, terminals, *, discount, num_steps):
    r"""G_t = sum_(k<n) discount^k r_(t+k) + discount^n v_(t+n) with n = min(num_steps, T - t), up to the end of the episode.

    A term counts only if none of the steps t, ..., t+k-1 is terminal.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, discount is not in [0, 1],
    or num_steps is less than 1.  Source: Sutton & Barto 2018, eq. 7.1.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    factors = _factors(rewards, terminals, discount, values)
    require_at_least(1, num_steps=num_steps)
    length = rewards.shape[1]
    most = min(num_steps, length)
    nothing = jnp.zeros((len(rewards), most), rewards.dtype)
    # Behind the row: the last value is paid once, and then nothing.
    paid = jnp.concatenate([rewards, values[:, -1:], nothing], axis=1)
    factors = jnp.concatenate([factors, nothing], axis=1)
    total, weight = jnp.zeros_like(rewards), jnp.ones_like(rewards)
    for k in range(most):
        total += weight * paid[:, k : k + length]
        weight *= factors[:, k : k + length]
    return total + weight * jnp.concatenate([values, nothing], axis=1)[:, most : most + length]


def generalized_advantages(rewards, values, terminals, *, discount, trace_decay):
    r"""A_t = delta_t + discount lambda (1 - d_t) A_(t+1), A_T = 0: the sum of all later errors, each step back counting less.

    lambda = trace_decay: 0 gives delta_t itself, 1 the return less v_t.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount or trace_decay
    is not in [0, 1].  Source: Schulman et al. 2016, eq. 16.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    require_share(trace_decay=trace_decay)
    errors = temporal_difference_errors(rewards, values, terminals, discount=discount)
    factors = trace_decay * _factors(rewards, terminals, discount)
    return _summed_backwards(errors, factors, jnp.zeros_like(rewards[:, 0]))


def lambda_returns(rewards, values, terminals, *, discount, trace_decay):
    r"""G_t = r_t + discount (1 - d_t) ((1 - lambda) v_(t+1) + lambda G_(t+1)), G_T = v_T: A_t + v_t, A_t the advantage above.

    The returns of 1, 2, ... steps, mixed with weights (1 - lambda) lambda^(n-1), the rest on the longest. What a value function
    is fitted to; lambda = trace_decay.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount or trace_decay
    is not in [0, 1].  Source: Sutton & Barto 2018, eq. 12.3.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    require_share(trace_decay=trace_decay)
    factors = _factors(rewards, terminals, discount, values)
    # Not by the advantages: what the values add to them and take away again would be lost in rounding.
    return _summed_backwards(rewards + (1 - trace_decay) * factors * values[:, 1:], trace_decay * factors, values[:, -1])


def whiten(advantages, mask, *, epsilon):
    r"""(A - mean) / (s + epsilon) where mask is 1, and 0 elsewhere: mean and deviation s of all valid entries of the batch.

    s^2 is the mean squared distance from the mean. Without a valid entry, or if all of them are equal, the result is 0.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1, or epsilon is not positive.
    Source: Schulman et al. 2017, as it is commonly implemented.
    [B, T], [B, T] -> [B, T]
    """
    require_rank(2, advantages=advantages)
    require_shape(advantages.shape, mask=mask)
    require_binary(mask=mask)
    require_positive(epsilon=epsilon)
    valid = mask != 0
    count = jnp.maximum(jnp.sum(valid), 1).astype(advantages.dtype)
    centered = jnp.where(valid, advantages, 0)
    for _ in range(2):  # once more, because the first mean is rounded, and equal entries must give 0
        centered = jnp.where(valid, centered - jnp.sum(centered) / count, 0)
    variance = jnp.sum(centered**2) / count
    spread = variance > 0
    deviation = jnp.where(spread, jnp.sqrt(jnp.where(spread, variance, 1)), 0)
    return centered / (deviation + epsilon)


def _factors(rewards, terminals, discount, values=None):
    """discount (1 - d_t), [B, T], of arguments that fit."""
    require_share(discount=discount)
    require_rank(2, rewards=rewards)
    batch, length = rewards.shape
    require(length > 0, f"rewards has shape {list(rewards.shape)}; it must have at least one step")
    require_shape((batch, length), terminals=terminals)
    if values is not None:
        require_shape((batch, length + 1), values=values)
    require_binary(terminals=terminals)
    return discount * (terminals == 0).astype(rewards.dtype)


def _summed_backwards(terms, factors, last):
    """y_t = terms_t + factors_t y_(t+1), with y_T = last."""

    def step(following, now):
        term, factor = now
        total = term + factor * following
        return total, total

    return jax.lax.scan(step, last, (terms.T, factors.T), reverse=True)[1].T
