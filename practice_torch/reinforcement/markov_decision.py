"""Finite decision processes: chains, values, Bellman's operators and occupancies, each by one matrix product or one solve.

transition[s, a, t] = P(t|s,a), reward[s, a], policies as log-probabilities [S, A], which may be -inf.
"""

import torch

from practice_torch.arguments import require_positive, require_shape
from practice_torch.reinforcement._process import require_discount, require_policy, require_probabilities, require_transition


def policy_transition(transition, policy_log_probs):
    r"""P_pi(t|s) = sum_a pi(a|s) P(t|s,a): the chain of states under a policy; row s holds the next state's probabilities.

    Raises ValueError if the shapes differ, or a row of transition or policy_log_probs does not sum to one.
    Source: Puterman 1994, section 2.1.
    [S, A, S], [S, A] -> [S, S]
    """
    _require_process(transition, policy_log_probs)
    return (policy_log_probs.exp().unsqueeze(1) @ transition).squeeze(1)


def policy_value(transition, reward, policy_log_probs, *, discount):
    r"""V = (I - discount P_pi)^-1 r_pi: the expected discounted sum of rewards from each state, r_pi = sum_a pi(a|s) r(s,a).

    Raises ValueError if the shapes differ, a row of transition or policy_log_probs does not sum to one, or discount is not in
    [0, 1).
    Source: Sutton & Barto 2018, section 4.1; Puterman 1994, theorem 6.1.1.
    [S, A, S], [S, A], [S, A] -> [S]
    """
    require_discount(discount)
    system = _departures(transition, policy_log_probs, discount)
    require_shape(transition.shape[:2], reward=reward)
    return torch.linalg.solve(system, torch.linalg.vecdot(policy_log_probs.exp(), reward))


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
    return torch.add(reward, transition.matmul(value), alpha=discount)


def bellman_operator(value, transition, reward, policy_log_probs, *, discount):
    r"""(B_pi v)(s) = sum_a pi(a|s) (r(s,a) + discount sum_t P(t|s,a) v(t)); its fixed point is the policy's value.

    Raises ValueError if the shapes differ, a row of transition or policy_log_probs does not sum to one, or discount is not in
    [0, 1).
    Source: Sutton & Barto 2018, eq. 4.5.
    [S], [S, A, S], [S, A], [S, A] -> [S]
    """
    values = action_value(value, transition, reward, discount=discount)
    require_policy(transition, policy_log_probs=policy_log_probs)
    return torch.linalg.vecdot(policy_log_probs.exp(), values)


def bellman_optimality_operator(value, transition, reward, *, discount):
    r"""(B_* v)(s) = max_a (r(s,a) + discount sum_t P(t|s,a) v(t)); its fixed point is the best value of every state.

    Raises ValueError if the shapes differ, a row of transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton & Barto 2018, eq. 4.10.
    [S], [S, A, S], [S, A] -> [S]
    """
    return action_value(value, transition, reward, discount=discount).amax(dim=1)


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
    # Less the best value: at a low temperature the exponents are large, and their fractional part has few digits.
    best = values.detach().masked_fill(reference_log_probs == -torch.inf, -torch.inf).amax(dim=1)
    exponents = reference_log_probs + (values - best.unsqueeze(1)) / temperature
    return torch.add(best, torch.logsumexp(exponents, dim=1), alpha=temperature)


def state_occupancy(initial, transition, policy_log_probs, *, discount):
    r"""d = (1 - discount) (I - discount P_pi^T)^-1 initial: the share of discounted time in each state; sums to one.

    d(s) = (1 - discount) sum_t discount^t Pr(s_t = s), with s_0 drawn from `initial`.

    Raises ValueError if the shapes differ, a row of initial, transition or policy_log_probs does not sum to one, or discount
    is not in [0, 1).
    Source: Sutton et al. 2000, section 1; Puterman 1994, section 6.9.
    [S], [S, A, S], [S, A] -> [S]
    """
    require_discount(discount)
    system = _departures(transition, policy_log_probs, discount)
    require_shape(transition.shape[:1], initial=initial)
    require_probabilities(initial=initial)
    return torch.linalg.solve(system.mT, (1 - discount) * initial)


def _departures(transition, policy_log_probs, discount):
    """I - discount P_pi, [S, S]."""
    moves = policy_transition(transition, policy_log_probs)
    return torch.eye(len(moves), dtype=moves.dtype, device=moves.device) - discount * moves


def _require_process(transition, policy_log_probs):
    require_transition(transition)
    require_policy(transition, policy_log_probs=policy_log_probs)
