"""Losses of a pair against its logit, and how hard each pulls."""

import jax
import jax.numpy as jnp

from theory_jax.preference.dpo import dpo_loss
from theory_jax.preference.dpo_variants import hinge_loss, ipo_loss, kto_loss, simpo_loss


def margins(u):
    """Log-probabilities of pairs with h = u."""
    zero = jnp.zeros_like(u)
    return jnp.asarray(u), zero, zero, zero


def draw_losses_and_pulls(left, right):
    """The losses, with the share of pairs in the wrong order (dotted), and minus their slopes."""
    us = jnp.linspace(-6.0, 6.0, 49)
    one = jnp.ones(len(us), int)
    losses = {
        "DPO": lambda u: dpo_loss(*margins(u), kl_coefficient=1.0),
        "IPO": lambda u: ipo_loss(*margins(u), regularization=0.25),
        "hinge": lambda u: hinge_loss(*margins(u), kl_coefficient=1.0),
        "KTO": lambda u: kto_loss(u, 0 * u, one > 0, jnp.array(0.0), kl_coefficient=1.0, desirable_weight=4.0),
        "SimPO": lambda u: simpo_loss(u, 0 * u, one, one, scale=1.0, margin=2.0),
    }
    for name, loss in losses.items():
        left.plot(us, loss(us), label=name)
        right.plot(us, -jax.grad(lambda u, loss=loss: loss(u).sum())(us), label=name)
    left.plot([-6, 0, 0, 6], [1, 1, 0, 0], ":", color="gray")
    left.set(xlabel="$u$", ylabel="loss", ylim=(-0.2, 7))
    right.axhline(0, color="gray", linewidth=0.5)
    right.set(xlabel="$u$", ylabel="pull", ylim=(-1.5, 2.5))
    right.legend()
