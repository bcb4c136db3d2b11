"""Three completions with known rewards: tilts, win rates, the loss of direct preference optimization, and figures."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.preference.dpo import dpo_loss
from theory_jax.preference.kl_optimum import reward_kl_frontier, tilted_log_probs

REFERENCE = jnp.log(jnp.array([0.5, 0.25, 0.25]))
REWARDS = jnp.log(jnp.array([1.0, 2.0, 4.0]))
VERDICTS = 0.5 + 0.5 * np.sign(np.subtract.outer(np.arange(3), np.arange(3)))
PREFERRED, OTHER = np.nonzero(~np.eye(3, dtype=bool))


def wins(log_probs):
    """The win rate of policies [..., 3] against the reference."""
    return jnp.exp(log_probs) @ VERDICTS @ jnp.exp(REFERENCE)


def tilts(prices):
    return jnp.stack([tilted_log_probs(REWARDS[None], REFERENCE[None], kl_coefficient=price)[0] for price in prices])


def loss_of_logits(logits):
    """The loss of direct preference optimization of a policy with these logits, summed over all ordered pairs."""
    policy = jax.nn.log_softmax(logits)
    often = jax.nn.sigmoid(REWARDS[PREFERRED] - REWARDS[OTHER])
    pairs = (log_probs[index] for log_probs in (policy, REFERENCE) for index in (PREFERRED, OTHER))
    return (often * dpo_loss(*pairs, kl_coefficient=1.0)).sum()


PRICES = np.geomspace(0.12, 30.0, 25)
OF_PRICES = np.exp(jax.nn.log_softmax(REFERENCE + REWARDS / PRICES[:, None]))


def draw_policies(left):
    """The tilts, from the reference (cross) to the best completion, and steps of gradient descent that end at one (circle)."""
    logits, steps = jnp.log(jnp.array([0.1, 0.7, 0.2])), []
    for _ in range(12):
        steps.append(np.exp(jax.nn.log_softmax(logits)))
        logits = logits - 0.5 * jax.grad(loss_of_logits)(logits)
    left.plot(OF_PRICES[:, 0], OF_PRICES[:, 2])
    left.plot(*np.array(steps)[:, [0, 2]].T, ".")
    left.plot(0.5, 0.25, "x", color="black")
    left.plot(0.25, 0.5, "o", color="black", fillstyle="none")
    left.set(xlabel=r"$\pi(1)$", ylabel=r"$\pi(3)$")


def draw_win_rates(right):
    """The win rate against the reference, by the divergence from it, along the tilts."""
    _, divergence = reward_kl_frontier(REWARDS, REFERENCE, jnp.asarray(PRICES))
    right.plot(divergence, wins(np.log(OF_PRICES)))
    right.axhline(7 / 8, linestyle=":", color="gray")
    right.set(xlabel="divergence from the reference, nats", ylabel="win rate")
