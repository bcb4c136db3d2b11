"""Restricted Boltzmann machines: energies, conditional probabilities, block Gibbs steps and exact likelihoods of small ones."""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require
from practice_torch.energy._machine import below, require_machine

LARGEST = 20  # units of the layer that is enumerated: a million states
BLOCK = 2**14  # states at a time


def energy(visible, hidden, weight, visible_bias, hidden_bias):
    r"""E(v, h) = -b.v - c.h - v^T W h, with b = visible_bias, c = hidden_bias, W = weight; p(v, h) = e^-E / Z.

    Raises ValueError if the shapes do not fit weight, or visible or hidden has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 1.
    [B, V], [B, H], [V, H], [V], [H] -> [B]
    """
    require_machine(weight, visible=visible, hidden=hidden, visible_bias=visible_bias, hidden_bias=hidden_bias)
    return -visible @ visible_bias - torch.linalg.vecdot(torch.addmm(hidden_bias, visible, weight), hidden)


def free_energy(visible, weight, visible_bias, hidden_bias):
    r"""F(v) = -log sum_h e^-E(v, h) = -b.v - sum_j log(1 + e^(c_j + (v^T W)_j)), in nats; p(v) = e^-F / Z.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2012, section 16.1.
    [B, V], [V, H], [V], [H] -> [B]
    """
    require_machine(weight, visible=visible, visible_bias=visible_bias, hidden_bias=hidden_bias)
    return _free_energy(visible, weight, visible_bias, hidden_bias)


def hidden_logits(visible, weight, hidden_bias):
    r"""c + v^T W: p(h_j = 1 | v) is its logistic function, and the hidden units are independent given v.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 7.
    [B, V], [V, H], [H] -> [B, H]
    """
    require_machine(weight, visible=visible, hidden_bias=hidden_bias)
    return torch.addmm(hidden_bias, visible, weight)


def visible_logits(hidden, weight, visible_bias):
    r"""b + W h: p(v_i = 1 | h) is its logistic function, and the visible units are independent given h.

    Raises ValueError if the shapes do not fit weight, or hidden has an entry that is not 0 or 1.
    Source: Hinton 2012, eq. 8.
    [B, H], [V, H], [V] -> [B, V]
    """
    require_machine(weight, hidden=hidden, visible_bias=visible_bias)
    return torch.addmm(visible_bias, hidden, weight.mT)


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
    hidden = below(hidden_uniforms, torch.addmm(hidden_bias, visible, weight))
    return below(visible_uniforms, torch.addmm(visible_bias, hidden, weight.mT)), hidden


def exact_log_partition(weight, visible_bias, hidden_bias):
    r"""log Z = log sum_v e^-F(v), in nats, by all states of the smaller layer; the other is summed in closed form.

    Raises ValueError if the shapes do not fit weight, or weight has more than 20 units in both layers.
    Source: Salakhutdinov & Murray 2008, section 2.
    [V, H], [V], [H] -> []
    """
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    units = min(weight.shape)
    require(units <= LARGEST, f"weight has shape {list(weight.shape)}; one layer must have at most {LARGEST} units")
    if weight.shape[0] > weight.shape[1]:
        weight, visible_bias, hidden_bias = weight.mT, hidden_bias, visible_bias
    places = torch.arange(units, device=weight.device)
    blocks = []
    for states in torch.arange(2**units, device=weight.device).split(BLOCK):
        layer = (states[:, None] >> places & 1).to(weight.dtype)
        blocks.append((-_free_energy(layer, weight, visible_bias, hidden_bias)).logsumexp(0))
    return torch.stack(blocks).logsumexp(0)


def log_likelihood(visible, weight, visible_bias, hidden_bias):
    r"""log p(v) = -F(v) - log Z, in nats.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or weight has more than 20 units
    in both layers.  Source: Fischer & Igel 2012, section 4.
    [B, V], [V, H], [V], [H] -> [B]
    """
    return -free_energy(visible, weight, visible_bias, hidden_bias) - exact_log_partition(weight, visible_bias, hidden_bias)


def _free_energy(visible, weight, visible_bias, hidden_bias):
    # torch's softplus is the identity beyond 20, its logsigmoid is accurate everywhere
    return logsigmoid(-torch.addmm(hidden_bias, visible, weight)).sum(1) - visible @ visible_bias
