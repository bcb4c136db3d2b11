"""Trust regions (lecture 53): what the old policy's states and advantages say of a new policy's return, and how far they hold.

Finite processes: transition[s, a, t] = P(t|s,a), reward[s, a], and both policies as log-probabilities [S, A], which may be -inf.
"""

import jax.numpy as jnp

from theory_jax.arguments import require_log_probs, require_rank, require_shape
from theory_jax.foundations.maximum_likelihood import kl_divergence
from theory_jax.reinforcement._process import require_policy, require_probabilities, require_transition
from theory_jax.reinforcement.markov_decision import action_value, policy_value, state_occupancy


def surrogate_objective(initial, transition, reward, policy_log_probs, old_log_probs, *, discount):
    r"""L(pi) = eta(o) + 1/(1 - discount) sum_s d_o(s) sum_a pi(a|s) A_o(s,a): the return, with the old policy's states.

    eta is the expected discounted return from `initial`, o the old policy, d_o its occupancy, which sums to one, and
    A_o = Q_o - V_o its advantages. L has the value and the gradient of eta at pi = o.

    Raises ValueError if the shapes differ, a row of initial, transition, policy_log_probs or old_log_probs does not sum to one,
    or discount is not in [0, 1).  Source: Kakade & Langford 2002, section 4; Schulman et al. 2015, eq. 3.
    [S], [S, A, S], [S, A], [S, A], [S, A] -> []
    """
    value, gains = _old_and_gains(initial, transition, reward, policy_log_probs, old_log_probs, discount)
    occupancy = state_occupancy(initial, transition, old_log_probs, discount=discount)
    return initial @ value + occupancy @ gains / (1 - discount)


def performance_difference(initial, transition, reward, policy_log_probs, old_log_probs, *, discount):
    r"""1/(1 - discount) sum_s d_pi(s) sum_a pi(a|s) A_o(s,a): what the new policy returns more than the old one, exactly.

    d_pi is the occupancy of the new policy, A_o = Q_o - V_o the advantages of the old one.

    Raises ValueError if the shapes differ, a row of initial, transition, policy_log_probs or old_log_probs does not sum to one,
    or discount is not in [0, 1).  Source: Kakade & Langford 2002, lemma 6.1.
    [S], [S, A, S], [S, A], [S, A], [S, A] -> []
    """
    _, gains = _old_and_gains(initial, transition, reward, policy_log_probs, old_log_probs, discount)
    return state_occupancy(initial, transition, policy_log_probs, discount=discount) @ gains / (1 - discount)


def policy_kl(log_probs, old_log_probs):
    r"""KL(o || pi) = sum_a o(a|s) (log o(a|s) - log pi(a|s)) in every state, in nats; +inf where pi(a|s) = 0 < o(a|s).

    The old policy o = exp(old_log_probs) comes first, the new one is pi = exp(log_probs).

    Raises ValueError if the shapes differ, or a row of log_probs or old_log_probs does not sum to one.
    Source: Schulman et al. 2015, section 3.
    [S, A], [S, A] -> [S]
    """
    _require_policies(log_probs, old_log_probs)
    return kl_divergence(old_log_probs, log_probs)


def policy_total_variation(log_probs, old_log_probs):
    r"""1/2 sum_a |pi(a|s) - o(a|s)| in every state: the largest difference in the probability of any set of actions.

    Raises ValueError if the shapes differ, or a row of log_probs or old_log_probs does not sum to one.
    Source: Schulman et al. 2015, section 3.
    [S, A], [S, A] -> [S]
    """
    _require_policies(log_probs, old_log_probs)
    return 0.5 * jnp.sum(jnp.abs(jnp.exp(log_probs) - jnp.exp(old_log_probs)), axis=1)


def improvement_bound(initial, transition, reward, policy_log_probs, old_log_probs, *, discount):
    r"""L(pi) - 4 epsilon discount / (1 - discount)^2 max_s KL(o || pi): a return that the new policy does not fall short of.

    L is the surrogate objective, and epsilon = max |A_o(s,a)| over states and actions. -inf where KL is infinite, unless there is
    nothing to lose: at discount 0, or if all advantages are 0, the surrogate is exact.

    Raises ValueError if the shapes differ, a row of initial, transition, policy_log_probs or old_log_probs does not sum to one,
    or discount is not in [0, 1).  Source: Schulman et al. 2015, theorem 1 and eq. 9.
    [S], [S, A, S], [S, A], [S, A], [S, A] -> []
    """
    surrogate = surrogate_objective(initial, transition, reward, policy_log_probs, old_log_probs, discount=discount)
    _, advantages = _advantages(transition, reward, old_log_probs, discount)
    constant = 4 * jnp.max(jnp.abs(advantages)) * discount / (1 - discount) ** 2
    divergence = jnp.max(policy_kl(policy_log_probs, old_log_probs))
    return surrogate - constant * jnp.where(constant > 0, divergence, 0)


def _old_and_gains(initial, transition, reward, policy_log_probs, old_log_probs, discount):
    """V_o, and in every state the mean advantage of the new policy's actions, [S] each."""
    require_transition(transition)
    require_shape(transition.shape[:1], initial=initial)
    require_probabilities(initial=initial)
    require_policy(transition, policy_log_probs=policy_log_probs, old_log_probs=old_log_probs)
    value, advantages = _advantages(transition, reward, old_log_probs, discount)
    return value, jnp.sum(jnp.exp(policy_log_probs) * advantages, axis=1)


def _advantages(transition, reward, old_log_probs, discount):
    """V_o [S], and A_o = Q_o - V_o, [S, A]."""
    value = policy_value(transition, reward, old_log_probs, discount=discount)
    return value, action_value(value, transition, reward, discount=discount) - value[:, None]


def _require_policies(log_probs, old_log_probs):
    require_rank(2, log_probs=log_probs)
    require_shape(log_probs.shape, old_log_probs=old_log_probs)
    require_log_probs(log_probs=log_probs, old_log_probs=old_log_probs)
