"""Contrastive divergence: the likelihood's gradient with a Gibbs chain that is cut short, and what the cut costs."""

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid

from theory_jax.arguments import require
from theory_jax.energy._machine import require_machine, require_steps, states
from theory_jax.energy.restricted_boltzmann_machine import gibbs_step, hidden_logits

LARGEST = 10  # most units of a layer for the explicit Gibbs matrix: a million entries


def sufficient_statistics(visible, weight, hidden_bias):
    r"""v p(h = 1 | v)^T, v and p(h = 1 | v): what -dF/dW, -dF/db and -dF/dc are at v, with F the free energy.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2002.
    [B, V], [V, H], [H] -> [B, V, H], [B, V], [B, H]
    """
    on = sigmoid(hidden_logits(visible, weight, hidden_bias))
    return jnp.einsum("bv,bh->bvh", visible, on), visible, on


def gradient(positive_visible, negative_visible, weight, hidden_bias):
    r"""The mean statistics of the data less those of the chain's states: estimates of d log p(v) / d(W, b, c), to be ascended.

    Hidden units enter by their probabilities in both terms, which has the mean of samples of them, and no more variance.

    Raises ValueError if the shapes do not fit weight, or positive_visible or negative_visible has no row, or an entry that is
    not 0 or 1.  Source: Hinton 2002.
    [B, V], [N, V], [V, H], [H] -> [V, H], [V], [H]
    """
    require_machine(weight, positive_visible=positive_visible, hidden_bias=hidden_bias)
    require_machine(weight, negative_visible=negative_visible)
    for name, rows in (("positive_visible", positive_visible), ("negative_visible", negative_visible)):
        require(jnp.shape(rows)[0] > 0, f"{name} has no row; a mean needs at least one")
    means = [
        [jnp.mean(statistic, axis=0) for statistic in sufficient_statistics(rows, weight, hidden_bias)]
        for rows in (positive_visible, negative_visible)
    ]
    return tuple(positive - negative for positive, negative in zip(*means, strict=True))


def chain(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias):
    r"""The visible states after K block Gibbs steps from the given ones: h ~ p(h | v), then v ~ p(v | h), K times.

    From the data it is the chain of CD-K; from the states where the last chain ended, that of persistent CD.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or hidden_uniforms or
    visible_uniforms leaves [0, 1].  Source: Hinton 2002; Tieleman 2008.
    [B, V], [K, B, H], [K, B, V], [V, H], [V], [H] -> [B, V]
    """
    require_machine(weight, visible=visible, visible_bias=visible_bias, hidden_bias=hidden_bias)
    require_steps(weight, jnp.shape(visible)[0], hidden_uniforms, visible_uniforms)

    def step(state, uniforms):
        return gibbs_step(state, *uniforms, weight, visible_bias, hidden_bias)[0], None

    return jax.lax.scan(step, visible, (hidden_uniforms, visible_uniforms))[0]


def gibbs_matrix(weight, visible_bias, hidden_bias):
    r"""P(v -> v') = sum_h p(h | v) p(v' | h), with S = 2^V states in binary counting order, the first unit most significant.

    Raises ValueError if the shapes do not fit weight, or weight has more than 10 units in a layer.
    Source: Fischer & Igel 2012.
    [V, H], [V], [H] -> [S, S]
    """
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    units = list(jnp.shape(weight))
    require(max(units) <= LARGEST, f"weight has shape {units}; each layer must have at most {LARGEST} units")
    visible, hidden = (jnp.asarray(states(size), weight.dtype) for size in units)
    given_visible = _conditional(hidden_bias + visible @ weight, hidden)
    return given_visible @ _conditional(visible_bias + hidden @ weight.T, visible)


def _conditional(logits, layer):
    """The probability of every state of a layer of independent units: [A, U], [S, U] -> [A, S]."""
    return jnp.exp(log_sigmoid(logits) @ layer.T + log_sigmoid(-logits) @ (1 - layer.T))
