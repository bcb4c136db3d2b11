"""Two tokens from a vocabulary of two, a reward for one text: the best policy, the tree of prefixes, the frontier."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.reinforcement.language_policy import backward_soft_values, optimal_token_log_probs

EVEN = (jnp.log(jnp.full(2, 0.5)), jnp.log(jnp.full((2, 2), 0.5)))
REWARDS = jnp.array([[0.0, 0.0], [0.0, jnp.log(4.0)]])


def policy_of(rewards, tables, beta):
    """The log-probability of every text under the best policy, by tokens."""
    total = jnp.zeros(())
    for table in optimal_token_log_probs(rewards, tables, kl_coefficient=beta):
        total = total[..., None] + table
    return total


def draw_tree(left):
    """The prefixes with their soft values; the width of an edge is the best policy's probability."""
    values = [np.asarray(value) for value in (*backward_soft_values(REWARDS, EVEN, kl_coefficient=1.0), REWARDS)]
    tables = [np.exp(table) for table in optimal_token_log_probs(REWARDS, EVEN, kl_coefficient=1.0)]
    places = {"": (0, 1.5), "0": (1, 2.5), "1": (1, 0.5), "00": (2, 3), "01": (2, 2), "10": (2, 1), "11": (2, 0)}
    for prefix, (across, up) in places.items():
        token = tuple(map(int, prefix))
        worth = values[len(prefix)][token]
        left.annotate(
            rf"{prefix or 'start'}: {float(worth):.2f}",
            (across, up),
            xytext=(5, -3) if len(prefix) == 2 else (-8, 9),
            textcoords="offset points",
        )
        if prefix:
            before, share = places[prefix[:-1]], float(tables[len(prefix) - 1][token])
            left.plot((before[0], across), (before[1], up), color="C0", linewidth=0.5 + 5 * share, alpha=0.6)
            middle = ((before[0] + across) / 2, (before[1] + up) / 2)
            offset = (-34 if len(prefix) == 1 else -12, 7 if up > before[1] else -13)
            shares = f"0.50, {share:.2f}"
            left.annotate(shares, middle, xytext=offset, textcoords="offset points", fontsize=7, color="gray")
    left.set(xlim=(-0.1, 2.7), ylim=(-0.4, 3.5))
    left.axis("off")


def draw_frontier(right):
    """Reward and divergence of the best policy as the price falls from 10 to 0.1; the dot is the price 1."""
    prices = np.append(np.logspace(1, -1, 15), 1.0)
    policies = jax.vmap(lambda price: policy_of(REWARDS, EVEN, price).ravel())(jnp.array(prices))
    spent = jnp.sum(jnp.exp(policies) * (policies + np.log(4)), axis=1)
    earned = jnp.exp(policies) @ REWARDS.ravel()
    right.plot(spent[:-1], earned[:-1])
    right.plot(spent[-1:], earned[-1:], "o", color="black")
    right.axhline(np.log(4), color="gray", linestyle="--", linewidth=1)
    right.set(xlabel=r"$\mathrm{KL}(\pi_* \,\|\, \pi_0)$, nats", ylabel="expected reward")
