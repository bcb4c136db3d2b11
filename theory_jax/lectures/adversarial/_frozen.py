"""Descent of frozen costs on three points, losses over all pairs, and the figure of costs and descents."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gan import minimax_generator_loss, non_saturating_generator_loss
from theory_jax.adversarial.loss_variants import (
    hinge_generator_loss,
    least_squares_generator_loss,
    relativistic_discriminator_loss,
)


@functools.cache
def flow(fake_target, real_target, target, steps=400):
    """The samples' distribution on three points under descent of frozen costs, from (0.3, 0.3, 0.4): [steps + 1, 3]."""
    data = jnp.array([0.5, 0.25, 0.25])

    def advance(samples, _):
        scores = (real_target * data + fake_target * samples) / (data + samples)
        weights = samples * jnp.exp(-least_squares_generator_loss(scores, target=target))
        return weights / weights.sum(), samples

    last, path = jax.lax.scan(advance, jnp.array([0.3, 0.3, 0.4]), length=steps)
    return np.append(np.asarray(path), np.asarray(last)[None], axis=0)


def mean_over_pairs(p, q, scores):
    """E over k ~ p and j ~ q, by the code's loss of one pair."""
    losses = relativistic_discriminator_loss(jnp.repeat(scores, len(p)), jnp.tile(scores, len(p)))
    return jnp.sum(jnp.outer(p, q).ravel() * losses)


def draw_costs(left, right):
    """Left: the costs of five losses. Right: the first point under descent of two of them."""
    shares = jnp.linspace(0.04, 0.96, 93)
    logits = jnp.log(1 / shares - 1)
    curves = {
        "minimax": minimax_generator_loss(logits),
        "non-saturating": non_saturating_generator_loss(logits),
        "hinge": hinge_generator_loss(jnp.sign(1 - 2 * shares)),
        "squares (0, 1, 1)": least_squares_generator_loss(1 - shares, target=1.0),
        "squares (-1, 1, 0)": least_squares_generator_loss(1 - 2 * shares, target=0.0),
    }
    for label, costs in curves.items():
        left.plot(shares, costs - costs[46], label=label, linewidth=1)
    left.set(xlabel="share of samples $t$", ylabel="cost of a sample", ylim=(-2, 2))
    left.legend(fontsize="x-small")
    for labels in ((0.0, 1.0, 1.0), (-1.0, 1.0, 0.0)):
        right.plot(flow(*labels)[:, 0], label="({:g}, {:g}, {:g})".format(*labels))
    right.axhline(0.5, linestyle="--", color="gray")
    right.set(xlabel="step", ylabel="$q_1$")
    right.legend()
