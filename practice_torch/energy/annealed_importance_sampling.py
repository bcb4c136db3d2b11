"""Annealed importance sampling: the normalizer of a restricted Boltzmann machine by walks from a law of independent units."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_rank, require_shape, require_unit_interval, require_values
from practice_torch.energy._machine import below, require_machine, require_steps
from practice_torch.energy.restricted_boltzmann_machine import free_energy, gibbs_step
from practice_torch.foundations.jensen import log_mean_exp


def intermediate_log_prob(visible, inverse_temperature, weight, visible_bias, hidden_bias, base_bias):
    r"""log f_t(v) = (1 - t) a.v + t b.v + sum_j log(1 + e^(t (c_j + (v^T W)_j))), in nats, not normalized.

    t = inverse_temperature, a = base_bias: at t = 0 independent units with the logits a, at t = 1 minus the free energy.

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or inverse_temperature leaves
    [0, 1].  Source: Salakhutdinov & Murray 2008.
    [B, V], [], [V, H], [V], [H], [V] -> [B]
    """
    return -free_energy(visible, *_between(inverse_temperature, weight, visible_bias, hidden_bias, base_bias))


def transition(visible, hidden_uniforms, visible_uniforms, inverse_temperature, weight, visible_bias, hidden_bias, base_bias):
    r"""A block Gibbs step that leaves f_t as it is: h ~ sigmoid(t (c + v^T W)), then v ~ sigmoid((1 - t) a + t (b + W h)).

    Raises ValueError if the shapes do not fit weight, visible has an entry that is not 0 or 1, or hidden_uniforms,
    visible_uniforms or inverse_temperature leaves [0, 1].  Source: Salakhutdinov & Murray 2008.
    [B, V], [B, H], [B, V], [], [V, H], [V], [H], [V] -> [B, V]
    """
    machine = _between(inverse_temperature, weight, visible_bias, hidden_bias, base_bias)
    return gibbs_step(visible, hidden_uniforms, visible_uniforms, *machine)[0]


def log_weights(
    initial_uniforms, hidden_uniforms, visible_uniforms, inverse_temperatures, weight, visible_bias, hidden_bias, base_bias
):
    r"""log w = sum_k log f_{t_k}(v_k) - log f_{t_{k-1}}(v_k), k = 1..T+1, in nats: E[w] = Z_1 / Z_0 for any temperatures.

    v_1 is drawn from the base law, and v_{k+1} from v_k by a transition at t_k.

    Raises ValueError if the shapes do not fit weight, initial_uniforms, hidden_uniforms or visible_uniforms leaves [0, 1], or
    inverse_temperatures does not rise from 0 to 1.  Source: Neal 2001.
    [N, V], [T, N, H], [T, N, V], [T+2], [V, H], [V], [H], [V] -> [N]
    """
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    require_shape(visible_bias.shape, base_bias=base_bias)
    require_rank(2, initial_uniforms=initial_uniforms)
    require_shape((len(initial_uniforms), len(weight)), initial_uniforms=initial_uniforms)
    require_unit_interval(initial_uniforms=initial_uniforms)
    require_steps(weight, len(initial_uniforms), hidden_uniforms, visible_uniforms)
    _require_path(inverse_temperatures, len(hidden_uniforms))
    visible = below(initial_uniforms, base_bias.expand_as(initial_uniforms))
    inputs = torch.addmm(hidden_bias, visible, weight)
    total = _gain(visible, inputs, *inverse_temperatures[:2], visible_bias - base_bias)
    between = zip(hidden_uniforms, visible_uniforms, inverse_temperatures[1:-1], inverse_temperatures[2:], strict=True)
    for of_hidden, of_visible, t, after in between:
        hidden = below(of_hidden, t * inputs)
        visible = below(of_visible, torch.lerp(base_bias, torch.addmm(visible_bias, hidden, weight.mT), t))
        inputs = torch.addmm(hidden_bias, visible, weight)  # of the weight, and of the next transition
        total = total + _gain(visible, inputs, t, after, visible_bias - base_bias)
    return total


def log_partition_estimate(log_weights, weight, base_bias):
    r"""log Z_0 + log((1/N) sum_n w_n), with log Z_0 = sum_i log(1 + e^a_i) + H log 2, in nats: on average below log Z.

    Raises ValueError if log_weights is empty or base_bias does not fit weight.  Source: Salakhutdinov & Murray 2008.
    [N], [V, H], [V] -> []
    """
    require_rank(1, log_weights=log_weights)
    require_rank(2, weight=weight)
    require_shape(weight.shape[:1], base_bias=base_bias)
    require(len(log_weights) > 0, "log_weights has no entry; a mean needs at least one")
    return log_mean_exp(log_weights[None])[0] + _softplus(base_bias).sum() + weight.shape[1] * math.log(2)


def _softplus(x):
    return -logsigmoid(-x)  # torch's own is the identity beyond 20


def _gain(visible, inputs, before, after, shift):
    """log f_after(v) - log f_before(v), with the inputs c + v^T W of the hidden units."""
    return (after - before) * (visible @ shift) + (_softplus(after * inputs) - _softplus(before * inputs)).sum(1)


def _between(t, weight, visible_bias, hidden_bias, base_bias):
    """The machine on the way from the base law to the given one."""
    require_shape((), inverse_temperature=t)
    require_unit_interval(inverse_temperature=t)
    require_machine(weight, visible_bias=visible_bias, hidden_bias=hidden_bias)
    require_shape(visible_bias.shape, base_bias=base_bias)
    return t * weight, (1 - t) * base_bias + t * visible_bias, t * hidden_bias


def _require_path(temperatures, transitions):
    """Two more than there are transitions, rising from 0 to 1."""
    require_shape((transitions + 2,), inverse_temperatures=temperatures)
    require_values("inverse_temperatures", temperatures[:1], lambda t: t == 0, "0 at the beginning")
    require_values("inverse_temperatures", temperatures[-1:], lambda t: t == 1, "1 at the end")
    require_values("inverse_temperatures", temperatures, lambda t: torch.diff(t, prepend=t[:1] - 1) > 0, "above the one before")
