"""Figures of a race of three exponential clocks with the rates 4, 2 and 1, and of the orders in which they ring."""

import itertools

import jax.numpy as jnp
import numpy as np

from theory_jax.preference.plackett_luce import gumbel_ranking, ranking_log_prob

RATES = np.array([4.0, 2.0, 1.0])
ORDERS = np.array(list(itertools.permutations(range(3))))


def draw_race(left):
    """The densities of the arrival times, and one sample of all three on the axis."""
    times_ = np.linspace(0, 1.6, 200)
    uniforms = np.array([[0.45, 0.14, 0.72]])
    for item, (rate, arrival) in enumerate(zip(RATES, -np.log(uniforms[0]) / RATES, strict=True)):
        (line,) = left.plot(times_, rate * np.exp(-rate * times_), label=f"item {item}")
        left.plot([arrival], [0.0], "o", color=line.get_color(), clip_on=False, zorder=3)
    left.set(xlabel="arrival time", ylabel="density", xlim=(0, 1.6), ylim=(0, 4.2))
    left.legend()


def draw_orders(right):
    """The probability of each order (bars), and its share of 2,000 sorts (dots)."""
    drawn = gumbel_ranking(
        jnp.array(np.random.default_rng(1).uniform(size=(2000, 3))), jnp.tile(jnp.log(jnp.array(RATES)), (2000, 1))
    )
    shares = (np.asarray(drawn)[:, None] == ORDERS).all(axis=2).mean(axis=0)
    names = ["".join(map(str, order)) for order in ORDERS]
    chances = np.exp(ranking_log_prob(jnp.array(ORDERS), jnp.tile(jnp.log(jnp.array(RATES)), (6, 1))))
    right.bar(names, chances, alpha=0.5)
    right.plot(names, shares, "o", color="black", markersize=4)
    right.set(xlabel="order, best first", ylabel="probability")
