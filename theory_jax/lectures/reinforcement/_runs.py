"""Runs of a process by enumeration, rows with ends that are neither 0 nor 1, and figures of advantage estimates."""

import itertools

import jax.numpy as jnp
import numpy as np

from theory_jax.reinforcement.returns import discounted_returns, generalized_advantages, lambda_returns

STAY_OR_MOVE = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])  # action 0 stays, action 1 moves
PAID = np.array([[0.0, 0.0], [1.0, 0.0]])  # for staying in state 1
EXACT = np.array([0.25, 0.75])  # what the even policy is worth at a discount of 1/2


def all_runs(transition, policy, start, action, length):
    """Every run of so many steps that begins so: its probability [N], states [N, length + 1] and actions [N, length]."""
    states, actions = transition.shape[:2]
    draws = np.indices((actions,) * (length - 1) + (states,) * length).reshape(2 * length - 1, -1).T
    acted = np.insert(draws[:, : length - 1], 0, action, axis=1)
    visited = np.insert(draws[:, length - 1 :], 0, start, axis=1)
    chances = transition[visited[:, :-1], acted, visited[:, 1:]].prod(axis=1) * policy[visited[:, 1:-1], acted[:, 1:]].prod(
        axis=1
    )
    return chances, visited, acted


def over_all_ends(compute, rewards, values, continues, **numbers):
    """compute() for numbers c that are neither 0 nor 1: it is linear in each of them, so all rows of 0 and 1 determine it."""
    ends = jnp.array(list(itertools.product((0.0, 1.0), repeat=len(continues))))
    weights = jnp.prod(jnp.where(ends == 1, 1 - continues, continues), axis=1)
    rows = jnp.tile(rewards, (len(ends), 1)), jnp.tile(values, (len(ends), 1)), ends
    return weights @ compute(*rows, **numbers)


def whole_returns(rewards, values, terminals, *, discount):
    """discounted_returns with the guess behind the row."""
    return discounted_returns(rewards, terminals, values[:, -1], discount=discount)


def moments(decay, guess, steps=6):
    """Mean of A_0 for both actions in state 0 of the example below, and its variance when the even policy draws the action."""
    means, squares = [], []
    for action in (0, 1):
        weights, visited, acted = all_runs(STAY_OR_MOVE, np.full((2, 2), 0.5), 0, action, steps)
        visited, acted, weights = visited[weights > 0], acted[weights > 0], weights[weights > 0]
        rows = PAID[visited[:, :-1], acted], guess[visited], np.zeros(acted.shape)
        found = generalized_advantages(*rows, discount=0.5, trace_decay=decay)[:, 0]
        means.append(weights @ found)
        squares.append(weights @ found**2)
    return np.array(means), np.mean(squares) - np.mean(means) ** 2


def draw_weights(left):
    """The weight of the return of n steps in a row of eight; the last one holds the rest."""
    for place, decay in enumerate((0.3, 0.6, 0.9)):
        # A row without rewards or discount, with the guess 1 for one state alone: what is left is the weight of that guess.
        row = jnp.zeros((8, 8)), jnp.eye(9)[1:], jnp.zeros((8, 8))
        found = lambda_returns(*row, discount=1.0, trace_decay=decay)[:, 0]
        left.bar(np.arange(1, 9) + 0.27 * (place - 1), found, width=0.27, label=rf"$\lambda = {decay}$")
    left.set(xlabel="steps $n$", ylabel="weight of $G^{(n)}$")
    left.legend()


def draw_bias_and_noise(right):
    """The bias for moving with a wrong guess, and the deviation with the exact one, against the decay of the trace."""
    decays = np.linspace(0, 1, 6)
    biases = [np.subtract(*(moments(decay, EXACT + np.array([0.0, 1.0]))[0])[::-1]) - 0.25 for decay in decays]
    noise = [moments(decay, EXACT)[1] ** 0.5 for decay in decays]
    right.plot(decays, biases, label="bias for moving, wrong guess")
    right.plot(decays, noise, label="deviation, exact guess")
    right.set(xlabel=r"decay $\lambda$", ylabel="advantage in state 0", ylim=(0, None))
    right.legend()


def draw_credit(credit, surprise):
    """The advantages of an episode that pays at its end, for four decays: with guesses of 0, and with one that changes once."""
    rewards = jnp.zeros((1, 10)).at[0, 9].set(1.0)
    ends = jnp.zeros((1, 10)).at[0, 9].set(1.0)
    guesses = jnp.zeros((1, 11)), jnp.asarray(np.where(np.arange(11) < 6, 0.3, 0.8) * (np.arange(11) < 10))[None]
    for panel, values, title in zip((credit, surprise), guesses, ("guess 0 everywhere", "guess 0.3, then 0.8"), strict=True):
        for decay in (0.0, 0.5, 0.9, 1.0):
            found = generalized_advantages(rewards, values, ends, discount=0.95, trace_decay=decay)[0]
            panel.plot(range(10), found, "o-", markersize=3, label=rf"$\lambda = {decay:g}$")
        panel.set(xlabel="step $t$", ylabel="advantage $A_t$", title=title, ylim=(-0.1, 1.45))
    credit.legend(loc="upper left", ncols=2, fontsize="small")
