"""Restricted Boltzmann machines: what a hidden layer does to the law of binary data, and what stays hard to compute."""

import jax.numpy as jnp
from jax.nn import logsumexp, sigmoid, softplus

from theory_jax.arguments import require
from theory_jax.energy._machine import require_machine, states

LARGEST = 20  # units of the layer that is enumerated: a million states


def energy(visible, hidden, weight, visible_bias, hidden_bias):
    r"""E(v, h) = -b.v - c.h - v^T W h, with b = visible_bias, c = hidden_bias, W = weight; p(v, h) = e^-E / Z.

    Raises ValueError if the shapes do not fit weight, or visible or hidden has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 1.
    [B, V], [B, H], [V, H], [V], [H] -> [B]
    """
    require_machine(weight, visible=visible, hidden=hidden, visible_bias=visible_bias, hidden_bias=hidden_bias)
    return -(visible @ visible_bias + hidden @ hidden_bias + jnp.einsum("bv,vh,bh->b", visible, weight, hidden))


def free_energy(visible, weight, visible_bias, hidden_bias):
    r"""F(v) = -log sum_h e^-E(v, h) = -b.v - sum_j log(1 + e^(c_j + (v^T W)_j)), in nats; p(v) = e^-F / Z.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2012, section 16.1.
    [B, V], [V, H], [V], [H] -> [B]
    """
    require_machine(weight, visible=visible, visible_bias=visible_bias, hidden_bias=hidden_bias)
    return -(visible @ visible_bias) - jnp.sum(softplus(hidden_bias + visible @ weight), axis=1)


def hidden_logits(visible, weight, hidden_bias):
    r"""c + v^T W: p(h_j = 1 | v) is its logistic function, and the hidden units are independent given v.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 7.
    [B, V], [V, H], [H] -> [B, H]
    """
    require_machine(weight, visible=visible, hidden_bias=hidden_bias)
    return hidden_bias + visible @ weight


def visible_logits(hidden, weight, visible_bias):
    r"""b + W h: p(v_i = 1 | h) is its logistic function, and the visible units are independent given h.

    Raises ValueError if the shapes do not fit weight, or hidden has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 8.
    [B, H], [V, H], [V] -> [B, V]
    """
    require_machine(weight, hidden=hidden, visible_bias=visible_bias)
    return visible_bias + hidden @ weight.T


def gibbs_step(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias):
    r"""h ~ p(h | v), then v' ~ p(v | h): a unit is 1 where its uniform number is below its probability. Returns v', h.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or hidden_uniforms or
    visible_uniforms leaves [0, 1].  Source: Hinton 2012, section 2.
    [B, V], [B, H], [B, V], [V, H], [V], [H] -> [B, V], [B, H]
    """
    require_machine(
        weight,
        visible=visible,
        hidden_uniforms=hidden_uniforms,
        visible_uniforms=visible_uniforms,
        visible_bias=visible_bias,
        hidden_bias=hidden_bias,
    )
    hidden = (hidden_uniforms < sigmoid(hidden_bias + visible @ weight)).astype(visible.dtype)
    return (visible_uniforms < sigmoid(visible_bias + hidden @ weight.T)).astype(visible.dtype), hidden


def exact_log_partition(weight, visible_bias, hidden_bias):
    r"""log Z = log sum_v e^-F(v), in nats, by all states of the smaller layer; the other is summed in closed form.

    Raises ValueError if the shapes do not fit weight, or weight has more than 20 units in both layers.
    Source: Salakhutdinov & Murray 2008, section 2.
    [V, H], [V], [H] -> []
    """
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    visible_units, hidden_units = jnp.shape(weight)
    smaller = min(visible_units, hidden_units)
    require(smaller <= LARGEST, f"weight has shape {[visible_units, hidden_units]}; one layer must have at most {LARGEST} units")
    if visible_units > hidden_units:
        weight, visible_bias, hidden_bias = weight.T, hidden_bias, visible_bias
    return logsumexp(-free_energy(jnp.asarray(states(smaller), weight.dtype), weight, visible_bias, hidden_bias))


def log_likelihood(visible, weight, visible_bias, hidden_bias):
    r"""log p(v) = -F(v) - log Z, in nats.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or weight has more than 20 units
    in both layers.  Source: Fischer & Igel 2012, section 4.
    [B, V], [V, H], [V], [H] -> [B]
    """
    return -free_energy(visible, weight, visible_bias, hidden_bias) - exact_log_partition(weight, visible_bias, hidden_bias)
