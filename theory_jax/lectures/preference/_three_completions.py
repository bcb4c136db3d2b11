"""Three completions of one prompt: the expected loss of direct preference optimization, a shared parameter, and their figures."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.preference.dpo import dpo_loss, robust_dpo_loss

REFERENCE = jnp.log(jnp.array([0.5, 0.25, 0.25]))
BEST = jnp.log(jnp.array([0.25, 0.25, 0.5]))
PREFERRED, OTHER = np.array([1, 2, 2]), np.array([0, 0, 1])  # the three pairs
OFTEN = np.array([2 / 3, 4 / 5, 2 / 3])  # how often the first of each is preferred, for rewards (0, log 2, log 4)


def population_loss(policies):
    """The expected loss of policies [..., 3] over the three pairs, equally often compared."""

    def loss(c, r):
        pair = policies[..., c].ravel(), policies[..., r].ravel()
        return dpo_loss(
            *pair, *(jnp.broadcast_to(REFERENCE[at], policies[..., at].shape).ravel() for at in (c, r)), kl_coefficient=1.0
        )

    return (
        OFTEN * loss(PREFERRED, OTHER).reshape(*policies.shape[:-1], 3)
        + (1 - OFTEN) * loss(OTHER, PREFERRED).reshape(*policies.shape[:-1], 3)
    ).mean(-1)


def shared(weight):
    """The log-probabilities of a policy with logits of weight times the features (1, 1/2, 3)."""
    return jax.nn.log_softmax(weight * jnp.array([1.0, 0.5, 3.0]), axis=-1)


def draw_losses(axes):
    """Level sets of the expected loss over policies, with the optimum (dot) and the reference (cross)."""
    first, second = np.meshgrid(np.linspace(0.02, 0.96, 95), np.linspace(0.02, 0.96, 95))
    inside = first + second < 0.99
    probabilities = np.stack([first, second, np.where(inside, 1 - first - second, 0.1)], axis=-1)
    loss = np.where(inside, population_loss(jnp.log(probabilities)), np.nan)
    axes.contour(first, second, loss, levels=0.5911 + np.array([0.002, 0.01, 0.03, 0.07, 0.13, 0.25, 0.5]), linewidths=1)
    axes.plot(0.25, 0.25, "o", color="black")
    axes.plot(0.5, 0.25, "x", color="black")
    axes.set(xlabel=r"$\pi(1)$", ylabel=r"$\pi(2)$")


def draw_steps(axes):
    """Both log-probabilities of the pair 1 over 2, and its loss, against the shared parameter."""
    weights = np.linspace(0, 1, 15)
    logs = shared(weights[:, None])
    start = jnp.broadcast_to(logs[0], logs.shape)
    axes.plot(weights, logs[:, 0], label=r"$\log \pi(1)$, preferred")
    axes.plot(weights, logs[:, 1], label=r"$\log \pi(2)$, rejected")
    loss = dpo_loss(logs[:, 0], logs[:, 1], start[:, 0], start[:, 1], kl_coefficient=1.0)
    axes.plot(weights, loss, "--", color="black", label="loss")
    axes.set(xlabel=r"$\omega$", ylabel="nats")
    axes.legend()


def draw_labels(losses, weights):
    """Left: three losses of a pair that is always labeled the same way, over its logit. Right: their slopes, turned over."""
    logits, zero = np.linspace(-4, 7, 111), np.zeros(111)
    pair = jnp.asarray(logits), zero, zero, zero
    curves = {
        "plain": dpo_loss(*pair, kl_coefficient=1.0),
        "smoothed": dpo_loss(*pair, kl_coefficient=1.0, label_smoothing=0.1),
        "robust": robust_dpo_loss(*pair, kl_coefficient=1.0, flip_probability=0.1),
    }
    for label, curve in curves.items():
        losses.plot(logits, curve, label=label)
        weights.plot(logits, -np.gradient(np.asarray(curve), logits), label=label)
    losses.plot(np.log(9), np.interp(np.log(9), logits, curves["smoothed"]), "o", color="C1")
    losses.set(xlabel=r"logit $\beta h$", ylabel="loss")
    losses.legend()
    weights.plot(np.log(9), 0, "o", color="C1")
    weights.axhline(0, color="gray", linestyle=":")
    weights.set(xlabel=r"logit $\beta h$", ylabel="push to the chosen one")
