"""The clipped objective, and steps from one batch with and without a clip: the figures of the lecture on PPO."""

import jax.numpy as jnp
import numpy as np

from theory_jax.reinforcement.ppo import clipped_policy_loss


def clipped_objective(probabilities):
    """The expectation of the clipped objective, for each new probability of the first action."""
    old = jnp.array([0.9, 0.1])
    log_probs = jnp.log(jnp.stack([probabilities, 1 - probabilities], axis=1))
    old_log_probs, advantages = (jnp.broadcast_to(row, log_probs.shape) for row in (jnp.log(old), jnp.array([1.0, -9.0])))
    return -clipped_policy_loss(log_probs, old_log_probs, advantages, clip=0.2) @ old


def a_roof_and_a_slope(left, right):
    ratios = jnp.linspace(0.4, 1.6, 25)
    for sign, color in ((1.0, "C0"), (-1.0, "C1")):
        steps = jnp.log(ratios)[None], jnp.zeros((1, 25)), jnp.full((1, 25), sign)
        left.plot(ratios, -clipped_policy_loss(*steps, clip=0.2)[0], color=color, label=rf"$A = {sign:g}$")
        left.plot(ratios, sign * ratios, color=color, linestyle="--", linewidth=1)
    left.set(xlabel=r"ratio $\rho$", ylabel=r"objective $-\ell$")
    left.legend()
    probabilities = jnp.array([0.9, 0.91, 0.92, 0.94, 0.96, 0.98, 0.999])
    right.plot(probabilities, clipped_objective(probabilities))
    right.axvline(0.92, color="gray", linestyle=":")
    right.set(xlabel="new probability of the first action", ylabel="expected objective")


def one_batch(ratios, noise):
    """Two actions of one batch, advantages 1 and -1: their ratios, and the second moment of the estimate, step by step."""
    for clip, color, label in ((0.2, "C0", "clipped"), (np.inf, "C1", "not clipped")):
        logit, seen = 0.0, []
        for _ in range(21):
            good = 2 / (1 + np.exp(-logit))  # the ratio of the good action; that of the bad one is 2 less it
            seen.append(good)
            pushed = float(good < 1 + clip) + float(2 - good > 1 - clip)  # of the two actions, which the clip leaves a gradient
            logit += 0.3 * pushed * good * (1 - good / 2)
        good = np.array(seen)
        ratios.plot(good, color=color, label=label)
        ratios.plot(2 - good, color=color, linestyle="--")
        noise.plot((good**2 + (2 - good) ** 2) / 2, color=color, label=label)
    ratios.axhspan(0.8, 1.2, color="gray", alpha=0.2, linewidth=0)
    ratios.set(xlabel="step from the same batch", ylabel=r"ratio $\rho$", ylim=(0, 2.4), xticks=range(0, 21, 5))
    ratios.legend(loc="upper left")
    noise.set(xlabel="step from the same batch", ylabel=r"second moment of $\rho A$", xticks=range(0, 21, 5))
