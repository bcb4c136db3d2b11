"""Two states, where action 0 stays and action 1 moves, and two actions of one decision: values, and figures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.reinforcement.policy_gradient import (
    bandit_gradient_samples,
    optimal_constant_baseline,
    policy_gradient,
    policy_objective,
)

PROCESS = (  # the run begins in state 0; the transitions; staying in state 1 pays 1
    jnp.array([1.0, 0.0]),
    jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]),
    jnp.array([[0.0, 0.0], [1.0, 0.0]]),
)


def determinant(gamma, leave_0, leave_1):
    """Of the linear equations for the values."""
    return (1 - gamma) * (1 - gamma * (1 - leave_0 - leave_1))


def values(gamma, leave_0, leave_1, paid_0, paid_1):
    """The values of two states that the policy leaves with these probabilities; paid: the expected rewards there."""
    value_0 = (1 - gamma * (1 - leave_1)) * paid_0 + gamma * leave_0 * paid_1
    value_1 = gamma * leave_1 * paid_0 + (1 - gamma * (1 - leave_0)) * paid_1
    return value_0 / determinant(gamma, leave_0, leave_1), value_1 / determinant(gamma, leave_0, leave_1)


def shares(gamma, start, leave_0, leave_1):
    """The shares of discounted time in both states; start: the probability of beginning in state 1."""
    share_0 = (1 - gamma * (1 - leave_1)) * (1 - start) + gamma * leave_1 * start
    share_1 = gamma * leave_0 * (1 - start) + (1 - gamma * (1 - leave_0)) * start
    return tuple((1 - gamma) * share / determinant(gamma, leave_0, leave_1) for share in (share_0, share_1))


def spread(rewards, probabilities, baselines):
    """The variance of the estimate with each of the baselines: the trace of that of the terms."""
    rewards, probabilities = np.array(rewards), np.array(probabilities)
    terms = jax.vmap(lambda c: bandit_gradient_samples(rewards, jnp.log(probabilities), c))(np.array(baselines, float))
    terms = np.asarray(terms)
    mean = np.einsum("a,cab->cb", probabilities, terms)
    return np.einsum("a,cab->c", probabilities, (terms - mean[:, None]) ** 2)


MOMENTS = (0, 5, 15, 60, 95, 120)
STARTS = ((0.04, 0.04), (0.04, 0.6), (0.3, 0.1), (0.5, 0.5), (0.9, 0.1))  # probabilities to move in 0 and to stay in 1


@functools.cache
def ascents(size=2.0):
    """Both probabilities [steps, 5, 2] and the return [steps, 5] as the logits follow the gradient, from each of the starts."""
    move, stay = np.transpose(STARTS)
    start = jnp.log(np.array([[1 - move, move], [stay, 1 - stay]]).transpose(2, 0, 1))

    def advance(logits, _):
        policy = jax.nn.softmax(logits)
        returns = jax.vmap(lambda one: policy_objective(*PROCESS, one, discount=0.5))(logits)
        slopes = jax.vmap(lambda one: policy_gradient(*PROCESS, one, discount=0.5))(logits)
        return logits + size * slopes, (jnp.stack([policy[:, 0, 1], policy[:, 1, 0]], axis=1), returns)

    return tuple(map(np.asarray, jax.lax.scan(advance, start, length=MOMENTS[-1] + 1)[1]))


def climb(plane, by_steps, moment):
    """Draws the five policies and their returns up to a step; the first start in orange."""
    draw_contours(plane)
    now = MOMENTS[moment]
    shown = np.unique(np.append(np.arange(0, now, 1 + now // 40), now))
    probabilities, returns = ascents()
    for n in reversed(range(len(STARTS))):
        color = BLUE if n else VERMILION
        plane.plot(*probabilities[shown, n].T, color=color, linewidth=1)
        plane.plot(*probabilities[now, n], "o", color=color, markersize=5)
        by_steps.plot(shown, returns[shown, n], color=color, linewidth=1)
        by_steps.plot(now, returns[now, n], "o", color=color, markersize=5)
    plane.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    by_steps.set(xlim=(-4, 124), ylim=(-0.03, 1.03), xlabel="steps", ylabel="return")


def draw_contours(plane):
    """Lines of equal return over all policies."""
    move, stay = np.meshgrid(*[np.linspace(0, 1, 21)] * 2)
    heights = move * stay / (1 - (stay - move) / 2)  # V_0, as defined above
    plane.contour(move, stay, heights, levels=9, colors="gray", linewidths=0.8)
    plane.set(xlabel="probability of moving in state 0", ylabel="probability of staying in state 1")


def draw_returns(left):
    """Lines of equal return over all policies, and the gradient: how far each probability moves if the logits follow it."""
    draw_contours(left)
    move, stay = np.meshgrid(*[np.linspace(0.14, 0.86, 4)] * 2)
    policies = np.log([[1 - move, move], [stay, 1 - stay]]).reshape(2, 2, -1)
    uphill = [policy_gradient(*PROCESS, policy, discount=0.5) for policy in np.moveaxis(policies, -1, 0)]
    uphill = np.reshape(uphill, (4, 4, 2, 2))
    # dp = p (1 - p) (difference of the two logits' changes), which is twice the change of one
    left.quiver(move, stay, 2 * move * (1 - move) * uphill[..., 0, 1], 2 * stay * (1 - stay) * uphill[..., 1, 0])


def draw_variances(right):
    """The variance of the estimate for every baseline, with the best one (dot) and the mean reward (cross)."""
    best = float(optimal_constant_baseline(jnp.array([1.0, 0.0]), jnp.log(jnp.array([0.9, 0.1]))))
    baselines = np.array([*np.linspace(-0.2, 1.0, 25), best, 0.9])
    variances = spread([1.0, 0.0], [0.9, 0.1], baselines)
    right.plot(baselines[:-2], variances[:-2])
    right.plot(best, variances[-2], "o", color="gray")
    right.plot(0.9, variances[-1], "x", color="gray")
    right.set(xlabel="baseline $c$", ylabel="variance of the estimate")
