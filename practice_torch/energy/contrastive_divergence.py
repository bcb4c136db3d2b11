"""Contrastive divergence: the statistics of a restricted Boltzmann machine, their gradient, and the chains it is estimated by."""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require
from practice_torch.energy._machine import below, require_machine, require_steps
from practice_torch.energy.restricted_boltzmann_machine import hidden_logits

LARGEST = 10  # most units of a layer for the explicit Gibbs matrix: a million entries


def sufficient_statistics(visible, weight, hidden_bias):
    r"""v p(h = 1 | v)^T, v and p(h = 1 | v): what -dF/dW, -dF/db and -dF/dc are at v, with F the free energy.

    Raises ValueError if the shapes do not fit weight, or visible has an entry that is not 0 or 1.
    Source: Hinton 2002.
    [B, V], [V, H], [H] -> [B, V, H], [B, V], [B, H]
    """
    on = hidden_logits(visible, weight, hidden_bias).sigmoid()
    return visible[:, :, None] * on[:, None, :], visible, on


def gradient(positive_visible, negative_visible, weight, hidden_bias):
    r"""The mean statistics of the data less those of the chain's states: estimates of d log p(v) / d(W, b, c), to be ascended.

    Hidden units enter by their probabilities in both terms, which has the mean of samples of them, and no more variance.

    Raises ValueError if the shapes do not fit weight, or positive_visible or negative_visible has no row, or an entry that is
    not 0 or 1.  Source: Hinton 2002.
    [B, V], [N, V], [V, H], [H] -> [V, H], [V], [H]
    """
    require_machine(weight, positive_visible=positive_visible, hidden_bias=hidden_bias)
    require_machine(weight, negative_visible=negative_visible)
    means = []
    for name, visible in (("positive_visible", positive_visible), ("negative_visible", negative_visible)):
        require(len(visible) > 0, f"{name} has no row; a mean needs at least one")
        on = torch.addmm(hidden_bias, visible, weight).sigmoid()
        means.append((visible.mT @ on / len(visible), visible.mean(0), on.mean(0)))  # [V, H] at once, never [B, V, H]
    return tuple(of_data - of_chain for of_data, of_chain in zip(*means, strict=True))


def chain(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias):
    r"""The visible states after K block Gibbs steps from the given ones: h ~ p(h | v), then v ~ p(v | h), K times.

    From the data it is the chain of CD-K; from the states where the last chain ended, that of persistent CD.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or hidden_uniforms or
    visible_uniforms leaves [0, 1].  Source: Hinton 2002; Tieleman 2008.
    [B, V], [K, B, H], [K, B, V], [V, H], [V], [H] -> [B, V]
    """
    require_machine(weight, visible=visible, visible_bias=visible_bias, hidden_bias=hidden_bias)
    require_steps(weight, len(visible), hidden_uniforms, visible_uniforms)
    for of_hidden, of_visible in zip(hidden_uniforms, visible_uniforms, strict=True):
        hidden = below(of_hidden, torch.addmm(hidden_bias, visible, weight))
        visible = below(of_visible, torch.addmm(visible_bias, hidden, weight.mT))
    return visible


def gibbs_matrix(weight, visible_bias, hidden_bias):
    r"""P(v -> v') = sum_h p(h | v) p(v' | h), with S = 2^V states in binary counting order, the first unit most significant.

    Raises ValueError if the shapes do not fit weight, or weight has more than 10 units in a layer.
    Source: Fischer & Igel 2012.
    [V, H], [V], [H] -> [S, S]
    """
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    require(max(weight.shape) <= LARGEST, f"weight has shape {list(weight.shape)}; each layer must have at most {LARGEST} units")
    return _up(weight, hidden_bias) @ _up(weight.mT, visible_bias)


def _up(weight, bias):
    """p(layer | below) of every state of the layer below and every state of the layer: [A, U], [U] -> [2^A, 2^U]."""
    # a sum or a product over units doubles with each unit: the new unit off before, on behind
    logits = bias[None]
    for row in weight.flip(0):
        logits = torch.cat([logits, logits + row])
    log_law = torch.zeros_like(logits[:, :1])
    for unit in logits.mT[:, :, None].unbind():
        log_law = torch.stack([log_law + logsigmoid(-unit), log_law + logsigmoid(unit)], 2).flatten(1)
    return log_law.exp()
