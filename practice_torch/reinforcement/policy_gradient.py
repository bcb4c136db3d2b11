"""Policy gradients: exact ones of finite processes, the terms of which their estimates are made, and the loss that yields them.

transition[s, a, t] = P(t|s,a), reward[s, a], the policy as logits [S, A].
"""

import torch

from practice_torch.arguments import require, require_binary, require_rank, require_shape, require_values
from practice_torch.reinforcement._process import require_probabilities, require_transition
from practice_torch.reinforcement.markov_decision import action_value, policy_value, state_occupancy


def policy_objective(initial, transition, reward, policy_logits, *, discount):
    r"""eta = sum_s initial(s) V(s), the expected discounted return of the policy pi = softmax(policy_logits).

    Raises ValueError if the shapes differ, a row of initial or transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton et al. 2000, section 1.
    [S], [S, A, S], [S, A], [S, A] -> []
    """
    log_probs = _policy(initial, transition, reward, policy_logits)
    return torch.dot(initial, policy_value(transition, reward, log_probs, discount=discount))


def policy_gradient(initial, transition, reward, policy_logits, *, discount):
    r"""The gradient of policy_objective in the logits: d(s) pi(a|s) A(s,a) / (1 - discount); its rows sum to zero.

    d is the occupancy of the states, which sums to one, and A = Q - V the advantage of the actions.

    Raises ValueError if the shapes differ, a row of initial or transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton et al. 2000, theorem 1.
    [S], [S, A, S], [S, A], [S, A] -> [S, A]
    """
    log_probs = _policy(initial, transition, reward, policy_logits)
    actions = action_value(policy_value(transition, reward, log_probs, discount=discount), transition, reward, discount=discount)
    policy = log_probs.exp()
    advantages = actions - torch.linalg.vecdot(policy, actions).unsqueeze(1)
    occupancy = state_occupancy(initial, transition, log_probs, discount=discount)
    return (occupancy / (1 - discount)).unsqueeze(1) * policy * advantages


def bandit_gradient_samples(rewards, logits, baseline):
    r"""Row a: (e_a - pi) (r_a - baseline), what action a adds to the logits of pi = softmax(logits); the mean is the gradient.

    One decision, and no state: sum_a pi_a (row a) = pi (r - sum_b pi_b r_b), for every baseline.

    Raises ValueError if the shapes differ.  Source: Williams 1992, theorem 1.
    [A], [A], [] -> [A, A]
    """
    require_rank(1, logits=logits)
    require_shape(logits.shape, rewards=rewards)
    require_shape((), baseline=baseline)
    gains = rewards - baseline
    return torch.diag(gains) - torch.outer(gains, logits.softmax(0))


def optimal_constant_baseline(rewards, logits):
    r"""sum_a pi_a |g_a|^2 r_a / sum_a pi_a |g_a|^2, with g_a = e_a - pi: the baseline with the least variance.

    The variance is the trace of that of the rows of bandit_gradient_samples, drawn from pi = softmax(logits).

    Raises ValueError if the shapes differ, or there are fewer than two actions in logits.  Source: Weaver & Tao 2001.
    [A], [A] -> []
    """
    require_rank(1, logits=logits)
    require_shape(logits.shape, rewards=rewards)
    require(len(logits) > 1, f"logits has shape {list(logits.shape)}; it must have at least two actions")
    # By logarithms: of a policy that is nearly certain, every pi_a |g_a|^2 is nearly 0. What normalizes pi is not needed.
    log_weights = logits - logits.detach().max()
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    others = log_weights.expand_as(itself).masked_fill(itself, -torch.inf)
    # |g_a|^2 = (1 - pi_a)^2 + sum_(b != a) pi_b^2
    log_norms = torch.cat((others.logsumexp(1, keepdim=True), others), 1).mul(2).logsumexp(1)
    return torch.dot((log_weights + log_norms).softmax(0), rewards)


def score_function_loss(log_probs, weights, mask):
    r"""-sum_t weights_t log pi(a_t|s_t) over the steps where mask is 1, in nats: its gradient is the estimate, with a minus.

    The weights are advantages or returns, held constant: the caller stops their gradient. The sum, not the mean over the steps,
    estimates the gradient of the return.

    Raises ValueError if the shapes differ, or mask holds anything but 0 and 1.  Source: Williams 1992; Sutton et al. 2000.
    [B, T], [B, T], [B, T] -> [B]
    """
    require_rank(2, log_probs=log_probs)
    require_shape(log_probs.shape, weights=weights)
    require_shape(log_probs.shape, mask=mask)
    require_binary(mask=mask)
    masked = mask == 0
    return -torch.linalg.vecdot(weights.masked_fill(masked, 0), log_probs.masked_fill(masked, 0))


def policy_entropy(logits):
    r"""H = -sum_a pi_a log pi_a of pi = softmax(logits), in nats; an action with the logit -inf is never taken.

    Raises ValueError if all logits of a policy are -inf.  Source: Williams & Peng 1991.
    [..., A] -> [...]
    """
    require(logits.ndim > 0, "logits has shape []; it must have an axis of actions")
    highest, best = logits.max(-1, keepdim=True)
    require_values("the largest entry over the last axis of logits", highest, lambda a: a > -torch.inf, "larger than -inf")
    # log(sum of the weights) - mean of their logarithms, both measured from the best action: neither is negative.
    gaps = logits - highest
    below = gaps.exp().scatter(-1, best, 0)
    total = below.sum(-1)
    costs = torch.linalg.vecdot(below, gaps.masked_fill(gaps == -torch.inf, 0))
    return total.log1p() - costs / (1 + total)


def _policy(initial, transition, reward, policy_logits):
    """log pi, [S, A], of arguments that fit; the values that are computed of it check the rest."""
    require_transition(transition)
    states, actions = transition.shape[:2]
    require_shape((states,), initial=initial)
    require_probabilities(initial=initial)
    require_shape((states, actions), reward=reward, policy_logits=policy_logits)
    return policy_logits.log_softmax(1)
