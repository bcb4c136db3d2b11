"""Pairs of policies: random ones, and those of the two states in which one can stay or move; returns, surrogates and bounds."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.reinforcement._stay_or_move import PROCESS
from theory_jax.reinforcement.markov_decision import policy_value, state_occupancy
from theory_jax.reinforcement.trust_region import (
    improvement_bound,
    performance_difference,
    policy_total_variation,
    surrogate_objective,
)


def random_pairs(pairs, states=4, actions=3):
    """A process, and pairs of policies, near to each other and far apart."""
    rng = np.random.default_rng(0)
    process = (
        rng.dirichlet(np.ones(states)),
        rng.dirichlet(np.ones(states), size=(states, actions)),
        rng.normal(size=(states, actions)),
    )
    olds = rng.normal(size=(pairs, states, actions))
    news = olds + rng.normal(size=olds.shape) * np.logspace(-1.5, 0.5, pairs)[:, None, None]
    return tuple(map(jnp.array, process)), jax.nn.log_softmax(jnp.array(news)), jax.nn.log_softmax(jnp.array(olds))


def returned(process, policies, discount=0.9):
    """The returns of policies."""
    return jax.vmap(lambda policy: process[0] @ policy_value(*process[1:], policy, discount=discount))(policies)


def each(function, process, news, olds, discount=0.9):
    """One of the functions, of every pair of policies."""
    return jax.vmap(lambda new, old: function(*process, new, old, discount=discount))(news, olds)


def distance_and_bound(factor, initial, transition, news, olds):
    """The distances of the occupancies, and the mean variations in the old policies' states, times a factor."""

    def occupancies(policies):
        return jax.vmap(lambda policy: state_occupancy(initial, transition, policy, discount=0.9))(policies)

    before, variation = occupancies(olds), jax.vmap(policy_total_variation)(news, olds)
    return jnp.sum(jnp.abs(occupancies(news) - before), axis=1), factor * jnp.sum(before * variation, axis=1)


def right_with(x):
    """Policies that do the right thing, move in state 0 and stay in state 1, with probability 1/2 + x: [X, S, A]."""
    better, worse = jnp.log(0.5 + jnp.asarray(x)), jnp.log(0.5 - jnp.asarray(x))
    return jnp.stack([jnp.stack([worse, better], axis=-1), jnp.stack([better, worse], axis=-1)], axis=-2)


def of_example(function, x, before=0.0):
    """One of the functions, for policies that do the right thing with probability 1/2 + x."""
    news = right_with(jnp.atleast_1d(jnp.asarray(x)))
    return each(function, PROCESS, news, jnp.broadcast_to(right_with(before), news.shape), 0.5)


def draw_bounds(axes):
    """The return, the surrogate and both bounds, against how far the policy of the example has moved."""
    x = np.linspace(0, 0.45, 31)
    surrogates, bounds = of_example(surrogate_objective, x), of_example(improvement_bound, x)
    axes.plot(x, 0.25 + of_example(performance_difference, x), label=r"return $\eta$")
    axes.plot(x, surrogates, label="surrogate $L$")
    axes.plot(x, bounds, label="bound $M$")
    axes.plot(x, (bounds + surrogates) / 2, "--", color=axes.lines[-1].get_color(), label="half the penalty")
    axes.set(xlabel="how far the policy has moved, $x$", ylabel="return from state 0", ylim=(-0.2, 1))
    axes.legend()
