"""Updates of temporal differences, averaged or iterated, means of two noisy estimates, and their figures."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from theory_jax.reinforcement.temporal_difference import least_squares_value, q_learning_target, td_update


def fitted(features, rewards, chain, weights, discount):
    """least_squares_value of all transitions, each as often as it occurs: a row times the root of its weight."""
    roots = np.sqrt(weights[:, None] * chain).reshape(-1, 1)
    rows, columns = np.indices(chain.shape).reshape(2, -1)
    arrays = roots * features[rows], roots * features[columns], roots[:, 0] * rewards[rows]
    return least_squares_value(*map(jnp.asarray, arrays), discount=discount)


def two_fits(discount, seed):
    """The errors of the learned and of the best fit of a random process of four states, with two features, on-policy."""
    rng = np.random.default_rng(seed)
    chain, features, value = rng.dirichlet(np.ones(4), size=4), rng.normal(size=(4, 2)), rng.normal(size=4)
    weights = np.linalg.matrix_power(chain, 100)[0]
    roots = np.sqrt(weights)
    learned = fitted(features, value - discount * chain @ value, chain, weights, discount)
    best = np.linalg.lstsq(roots[:, None] * features, roots * value)[0]
    return [np.linalg.norm(roots * (features @ weight - value)) for weight in (learned, best)]


def mean_of_updates(step_size, weights, policy, transition, reward, value, discount):
    """The mean of td_update over all transitions, less the value; policy and reward are [A, S], transition is [A, S, S]."""
    acted, started, arrived = np.indices(transition.shape).reshape(3, -1)
    moved = jax.vmap(lambda *seen: td_update(value, *seen, False, discount=discount, step_size=step_size))(
        started, reward[acted, started], arrived
    )
    return (weights[started] * policy[acted, started] * transition[acted, started, arrived]) @ (moved - value)


def means_of_two(gap):
    """Means of the largest of two estimates with unit noise, of values 0 and gap, and of the second estimate of the selected."""
    selected = gap * norm.cdf(gap / np.sqrt(2))
    return selected + np.sqrt(2) * norm.pdf(gap / np.sqrt(2)), selected


def factor(discount, step, feature, following):
    """By what one update multiplies the weight, if only a state with this feature is updated, and it leads to the following."""
    target = q_learning_target(jnp.zeros(1), jnp.full((1, 1), following), np.zeros(1), discount=discount)[0]
    return float(1 + step * feature * (target - feature))


def draw_weights(left):
    """The weight of one shared feature after so many updates, off-policy and on-policy."""
    updates = np.arange(26)
    for discount, pair, name in ((0.9, (1.0, 2.0), "state 0"), (0.4, (1.0, 2.0), "state 0"), (0.9, (2.0, 2.0), "on-policy")):
        left.plot(updates, factor(discount, 0.1, *pair) ** updates, label=rf"$\gamma = {discount}$, {name}")
    left.set(xlabel="updates", ylabel="weight $w$")
    left.legend()


def draw_targets(right):
    """The mean targets of Q-learning and of double Q-learning, less the larger value, against the difference of two values."""
    gaps = np.linspace(0, 4, 41)
    for mean, name in zip(means_of_two(gaps), ("Q-learning", "double Q-learning"), strict=True):
        right.plot(gaps, mean - gaps, label=name)
    right.axhline(0, linestyle="--", color="gray")
    right.set(xlabel="difference of the two values", ylabel="mean target less the larger value")
    right.legend()


def draw(left, right):
    """Both figures."""
    draw_weights(left)
    draw_targets(right)
