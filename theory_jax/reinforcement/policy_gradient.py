"""The policy gradient theorem (lecture 50): how an expected return is differentiated through actions that were drawn.

Finite processes: transition[s, a, t] = P(t|s,a), reward[s, a], and the policy as logits [S, A].
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_binary, require_rank, require_shape, require_values
from theory_jax.reinforcement._process import require_probabilities, require_transition
from theory_jax.reinforcement.markov_decision import action_value, policy_value, state_occupancy


def policy_objective(initial, transition, reward, policy_logits, *, discount):
    r"""eta = sum_s initial(s) V(s), the expected discounted return of the policy pi = softmax(policy_logits).

    Raises ValueError if the shapes differ, a row of initial or transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton et al. 2000, section 1.
    [S], [S, A, S], [S, A], [S, A] -> []
    """
    log_probs = _policy(initial, transition, reward, policy_logits)
    return jnp.dot(initial, policy_value(transition, reward, log_probs, discount=discount))


def policy_gradient(initial, transition, reward, policy_logits, *, discount):
    r"""The gradient of policy_objective in the logits: d(s) pi(a|s) A(s,a) / (1 - discount); its rows sum to zero.

    d is the occupancy of the states, which sums to one, and A = Q - V the advantage of the actions.

    Raises ValueError if the shapes differ, a row of initial or transition does not sum to one, or discount is not in [0, 1).
    Source: Sutton et al. 2000, theorem 1.
    [S], [S, A, S], [S, A], [S, A] -> [S, A]
    """
    log_probs = _policy(initial, transition, reward, policy_logits)
    policy = jnp.exp(log_probs)
    value = policy_value(transition, reward, log_probs, discount=discount)
    actions = action_value(value, transition, reward, discount=discount)
    advantages = actions - jnp.sum(policy * actions, axis=1, keepdims=True)
    occupancy = state_occupancy(initial, transition, log_probs, discount=discount)
    return occupancy[:, None] * policy * advantages / (1 - discount)


def bandit_gradient_samples(rewards, logits, baseline):
    r"""Row a: (e_a - pi) (r_a - baseline), what action a adds to the logits of pi = softmax(logits); the mean is the gradient.

    One decision, and no state: sum_a pi_a (row a) = pi (r - sum_b pi_b r_b), for every baseline.

    Raises ValueError if the shapes differ.  Source: Williams 1992, theorem 1.
    [A], [A], [] -> [A, A]
    """
    require_rank(1, logits=logits)
    require_shape(logits.shape, rewards=rewards)
    require_shape((), baseline=baseline)
    scores = jnp.eye(len(logits), dtype=logits.dtype) - jax.nn.softmax(logits)
    return scores * (rewards - baseline)[:, None]


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
    log_weights = logits - jax.lax.stop_gradient(jnp.max(logits))
    others = jnp.where(jnp.eye(len(logits), dtype=bool), -jnp.inf, log_weights)
    others_together = jax.nn.logsumexp(others, axis=1)  # 1 - pi_a
    log_norms = jnp.logaddexp(2 * others_together, jax.nn.logsumexp(2 * others, axis=1))
    return jnp.dot(jax.nn.softmax(log_weights + log_norms), rewards)


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
    valid = mask != 0
    return -jnp.sum(jnp.where(valid, weights, 0) * jnp.where(valid, log_probs, 0), axis=1)


def policy_entropy(logits):
    r"""H = -sum_a pi_a log pi_a of pi = softmax(logits), in nats; an action with the logit -inf is never taken.

    Raises ValueError if all logits of a policy are -inf.  Source: Williams & Peng 1991.
    [..., A] -> [...]
    """
    require(jnp.ndim(logits) > 0, "logits has shape []; it must have an axis of actions")
    best = jnp.argmax(logits, axis=-1, keepdims=True)
    highest = jnp.take_along_axis(logits, best, axis=-1)
    require_values("the largest entry over the last axis of logits", highest, lambda a: a > -np.inf, "larger than -inf")
    # log(sum of the weights) - mean of their logarithms, both measured from the best action: neither is negative.
    gaps = logits - highest
    is_best = jnp.arange(logits.shape[-1]) == best
    below = jnp.where(is_best, 0, jnp.exp(gaps))
    total = jnp.sum(below, axis=-1)
    costs = jnp.sum(below * jnp.where(jnp.isneginf(gaps), 0, gaps), axis=-1)
    return jnp.log1p(total) - costs / (1 + total)


def _policy(initial, transition, reward, policy_logits):
    """log pi, [S, A], of arguments that fit; the values that are computed of it check the rest."""
    require_transition(transition)
    states, actions = transition.shape[:2]
    require_shape((states,), initial=initial)
    require_probabilities(initial=initial)
    require_shape((states, actions), reward=reward, policy_logits=policy_logits)
    return jax.nn.log_softmax(policy_logits, axis=1)
