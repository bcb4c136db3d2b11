"""Markov decision processes (lecture 49): values as solutions of Bellman's equations, and how iteration finds the best one.

One finite process at a time: transition[s, a, t] = P(t|s,a), reward[s, a], and policies as log-probabilities [S, A], which may be
-inf.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require_positive, require_shape
from theory_jax.reinforcement._process import require_discount, require_policy, require_probabilities, require_transition


def policy_transition(transition, policy_log_probs):
    r"""P_pi(t|s) = sum_a pi(a|s) P(t|s,a): the chain of states under a policy; row s holds the next state's probabilities.

    Raises ValueError if the shapes differ, or a row of transition or policy_log_probs does not sum to one.
    Source: Puterman 1994, section 2.1.
    [S, A, S], [S, A] -> [S, S]
    """
    _require_process(transition, policy_log_probs)
    return jnp.einsum("sa,sat->st", jnp.exp(policy_log_probs), transition)


def policy_value(transition, reward, policy_log_probs, *, discount):
    r"""V = (I - discount P_pi)^-1 r_pi: the expected discounted sum of rewards from each state, r_pi = sum_a pi(a|s) r(s,a).

    Raises ValueError if the shapes differ, a row of transition or policy_log_probs does not sum to one, or discount is not in
    [0, 1).
    Source: Sutton & Barto 2018, section 4.1; Puterman 1994, theorem 6.1.1.
    [S, A, S], [S, A], [S, A] -> [S]
    """
    require_discount(discount)
    moves, rewards = _under_the_policy(transition, reward, policy_log_probs)
    return jnp.linalg.solve(jnp.eye(len(rewards), dtype=moves.dtype) - discount * moves, rewards)


def action_value(value, transition, reward, *, discount):
    r"""Q(s,a) = r(s,a) + discount sum_t P(t|s,a) v(t): first the action, then the value v.

    Raises ValueError if the shapes differ, a row of transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton & Barto 2018, eq. 4.6.
    [S], [S, A, S], [S, A] -> [S, A]
    """
    require_discount(discount)
    require_transition(transition)
    require_shape(transition.shape[:2], reward=reward)
    require_shape(transition.shape[:1], value=value)
    return reward + discount * transition @ value


def bellman_operator(value, transition, reward, policy_log_probs, *, discount):
    r"""(B_pi v)(s) = sum_a pi(a|s) (r(s,a) + discount sum_t P(t|s,a) v(t)); its fixed point is the policy's value.

    Raises ValueError if the shapes differ, a row of transition or policy_log_probs does not sum to one, or discount is not in
    [0, 1).
    Source: Sutton & Barto 2018, eq. 4.5.
    [S], [S, A, S], [S, A], [S, A] -> [S]
    """
    values = action_value(value, transition, reward, discount=discount)
    require_policy(transition, policy_log_probs=policy_log_probs)
    return jnp.sum(jnp.exp(policy_log_probs) * values, axis=1)


def bellman_optimality_operator(value, transition, reward, *, discount):
    r"""(B_* v)(s) = max_a (r(s,a) + discount sum_t P(t|s,a) v(t)); its fixed point is the best value of every state.

    Raises ValueError if the shapes differ, a row of transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton & Barto 2018, eq. 4.10.
    [S], [S, A, S], [S, A] -> [S]
    """
    return jnp.max(action_value(value, transition, reward, discount=discount), axis=1)


def soft_bellman_operator(value, transition, reward, reference_log_probs, *, discount, temperature):
    r"""(B_tau v)(s) = tau log sum_a pi_0(a|s) e^(Q(s,a) / tau), Q(s,a) = r(s,a) + discount sum_t P(t|s,a) v(t).

    The best one-step value if every nat of divergence from the reference pi_0 costs tau = temperature. It is between the mean
    under pi_0 (tau -> infinity) and the maximum over the actions of pi_0 (tau -> 0).

    Raises ValueError if the shapes differ, a row of transition or reference_log_probs does not sum to one, discount is
    not in [0, 1), or temperature is not positive.  Source: Ziebart 2010, chapter 6; Haarnoja et al. 2017, theorem 1.
    [S], [S, A, S], [S, A], [S, A] -> [S]
    """
    require_positive(temperature=temperature)
    values = action_value(value, transition, reward, discount=discount)
    require_policy(transition, reference_log_probs=reference_log_probs)
    # Around the best action, so that what remains in the exponent is a difference, exact at a low temperature, too.
    best = jax.lax.stop_gradient(jnp.max(jnp.where(jnp.isneginf(reference_log_probs), -jnp.inf, values), axis=1))
    exponents = reference_log_probs + (values - best[:, None]) / temperature
    return best + temperature * jax.nn.logsumexp(exponents, axis=1)


def state_occupancy(initial, transition, policy_log_probs, *, discount):
    r"""d = (1 - discount) (I - discount P_pi^T)^-1 initial: the share of discounted time in each state; sums to one.

    d(s) = (1 - discount) sum_t discount^t Pr(s_t = s), with s_0 drawn from `initial`.

    Raises ValueError if the shapes differ, a row of initial, transition or policy_log_probs does not sum to one, or discount
    is not in [0, 1).
    Source: Sutton et al. 2000, section 1; Puterman 1994, section 6.9.
    [S], [S, A, S], [S, A] -> [S]
    """
    require_discount(discount)
    moves = policy_transition(transition, policy_log_probs)
    require_shape(moves.shape[:1], initial=initial)
    require_probabilities(initial=initial)
    return (1 - discount) * jnp.linalg.solve(jnp.eye(len(initial), dtype=moves.dtype) - discount * moves.T, initial)


def _under_the_policy(transition, reward, policy_log_probs):
    """P_pi and r_pi."""
    moves = policy_transition(transition, policy_log_probs)
    require_shape(transition.shape[:2], reward=reward)
    return moves, jnp.sum(jnp.exp(policy_log_probs) * reward, axis=1)


def _require_process(transition, policy_log_probs):
    require_transition(transition)
    require_policy(transition, policy_log_probs=policy_log_probs)
