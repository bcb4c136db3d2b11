"""The expected loss of all pairs of a prompt's completions, and figures of margins and of winners."""

import itertools

import jax.numpy as jnp
import numpy as np

from theory_jax.preference.reward_model import pairwise_reward_loss, pessimistic_reward


def loss_of_all_pairs(rewards, true, coefficient):
    """The expected loss of all pairs of a prompt's completions, each compared once."""
    first, second = np.array(list(itertools.combinations(range(len(true)), 2))).T
    often = 1 / (1 + np.exp(true[second] - true[first]))
    one, other = (
        pairwise_reward_loss(rewards[chosen], rewards[rejected], center_coefficient=coefficient)
        for chosen, rejected in ((first, second), (second, first))
    )
    return jnp.sum(often * one + (1 - often) * other)


def draw_margins(left):
    """The expected loss where three of four people prefer the first completion, with a margin and without."""
    along = jnp.linspace(-1.0, 4.0, 60)
    for margin, root in ((0.0, np.log(3)), (np.log(2), np.log(2 + np.sqrt(7)))):
        at = jnp.append(along, root)
        loss = 0.75 * pairwise_reward_loss(at, 0 * at, margin=margin) + 0.25 * pairwise_reward_loss(0 * at, at, margin=margin)
        (line,) = left.plot(along, loss[:-1], label=f"margin {margin:.2g}")
        left.plot(root, loss[-1], "o", color=line.get_color())
    left.set(xlabel="$d$", ylabel="expected loss, nats")
    left.legend()


def draw_winners(right):
    """The best of several candidates by a mean of noisy models and by a pessimistic reward: its own reward and its true one."""
    rng, draws, most = np.random.default_rng(0), 1000, 64
    gold, noise = rng.normal(size=(draws, most)), rng.choice((0.2, 2.0), size=(draws, most))
    models = (gold + noise * rng.normal(size=(4, draws, most))).reshape(4, -1)
    sizes = 2 ** np.arange(7)
    for pessimism, name in ((0.0, "mean"), (1.0, "pessimistic")):
        proxy = np.asarray(pessimistic_reward(jnp.array(models), pessimism=pessimism)).reshape(draws, most)
        winners = [proxy[:, :size].argmax(axis=1)[:, None] for size in sizes]
        reward, true = ([np.take_along_axis(table, w, axis=1).mean() for w in winners] for table in (proxy, gold))
        (line,) = right.plot(sizes, true, "o-", markersize=3, label=f"{name}: true reward")
        right.plot(sizes, reward, "--", color=line.get_color(), label=f"{name}: its own")
    right.set(xlabel="candidates $n$", ylabel="of the winner", xscale="log")
    right.legend()
