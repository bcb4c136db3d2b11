"""Wrong forms of annealed importance sampling that the rows must refuse, and other right forms that they must accept."""

import math
from functools import partial

import torch
from torch.nn.functional import logsigmoid, softplus

from practice_torch.energy import annealed_importance_sampling as right
from practice_torch.energy.restricted_boltzmann_machine import energy
from tests.support.mistakes import Mistake, after_checks

_after_checks = partial(after_checks, right)


def _log_prob(visible, inverse_temperature, weight, visible_bias, hidden_bias, base_bias, rest=1.0, inside=None):
    """rest: the share of the base in place of 1 - t. inside: what of the softplus is tempered."""
    t, inputs = inverse_temperature, visible @ weight + hidden_bias
    hidden = -logsigmoid(-t * inputs) if inside is None else inside(t, inputs)
    return (rest - t) * (visible @ base_bias) + t * (visible @ visible_bias) + hidden.sum(1)


def _moved(
    visible, hidden_uniforms, visible_uniforms, inverse_temperature, weight, visible_bias, hidden_bias, base_bias, up=None
):
    """up: another temperature of the hidden units."""
    t = inverse_temperature
    hidden = (hidden_uniforms < ((t if up is None else up) * (visible @ weight + hidden_bias)).sigmoid()).to(weight.dtype)
    logits = (1 - t) * base_bias + t * (visible_bias + hidden @ weight.mT)
    return (visible_uniforms < logits.sigmoid()).to(weight.dtype)


def _walks(
    initial_uniforms,
    hidden_uniforms,
    visible_uniforms,
    inverse_temperatures,
    weight,
    visible_bias,
    hidden_bias,
    base_bias,
    of="before",
    at=1,
):
    """of: whether a factor is of the state before or after its transition. at: the temperature of the k-th, from k - 1 on."""
    machine = (weight, visible_bias, hidden_bias, base_bias)
    visible, total = (initial_uniforms < base_bias.sigmoid()).to(weight.dtype), 0.0
    for k in range(len(inverse_temperatures) - 1):
        before, after = inverse_temperatures[k], inverse_temperatures[k + 1]
        last = visible
        if k < len(hidden_uniforms):
            visible = _moved(visible, hidden_uniforms[k], visible_uniforms[k], inverse_temperatures[k + at], *machine)
        state = visible if of == "after" else last
        total = total + _log_prob(state, after, *machine) - _log_prob(state, before, *machine)
    return total


MISTAKES = (
    Mistake("intermediate_log_prob", "the base kept whole", _after_checks("intermediate_log_prob", lambda **given: (
        _log_prob(**given, rest=1.0 + given["inverse_temperature"])))),
    Mistake("intermediate_log_prob", "the softplus tempered, not its argument", _after_checks(
        "intermediate_log_prob", partial(_log_prob, inside=lambda t, inputs: t * softplus(inputs, threshold=700)))),
    Mistake("intermediate_log_prob", "both ends exchanged", _after_checks(
        "intermediate_log_prob", lambda inverse_temperature, **given: (
            right.intermediate_log_prob(inverse_temperature=1 - inverse_temperature, **given)))),
    Mistake("intermediate_log_prob", "a free energy", _after_checks("intermediate_log_prob", lambda **given: (
        -right.intermediate_log_prob(**given)))),
    Mistake("intermediate_log_prob", "overflows", _after_checks("intermediate_log_prob", partial(
        _log_prob, inside=lambda t, inputs: (1 + (t * inputs).exp()).log()))),
    Mistake("transition", "at the machine's temperature", _after_checks("transition", lambda inverse_temperature, **given: (
        _moved(inverse_temperature=torch.ones_like(inverse_temperature), **given)))),
    Mistake("transition", "the hidden units are the machine's", _after_checks("transition", partial(_moved, up=1.0))),
    Mistake("transition", "the base forgotten", _after_checks("transition", lambda base_bias, **given: (
        _moved(base_bias=0 * base_bias, **given)))),
    Mistake("log_weights", "factors after the transitions", _after_checks("log_weights", partial(_walks, of="after"))),
    Mistake("log_weights", "transitions at the temperature before", _after_checks("log_weights", partial(_walks, at=0))),
    Mistake("log_weights", "the sign", _after_checks("log_weights", lambda **given: -right.log_weights(**given))),
    Mistake("log_weights", "divided by the number of factors", _after_checks("log_weights", lambda **given: (
        right.log_weights(**given) / (len(given["inverse_temperatures"]) - 1)))),
    Mistake("log_partition_estimate", "the hidden layer of the base forgotten", _after_checks(
        "log_partition_estimate", lambda log_weights, weight, base_bias: (
            log_weights.logsumexp(0) - math.log(len(log_weights)) + softplus(base_bias).sum() + 0 * weight.sum()))),
    Mistake("log_partition_estimate", "the mean of the logarithms", _after_checks(
        "log_partition_estimate", lambda log_weights, weight, base_bias: (
            log_weights.mean() + softplus(base_bias).sum() + weight.shape[1] * math.log(2) + 0 * weight.sum()))),
    Mistake("log_partition_estimate", "the sum of the weights", _after_checks("log_partition_estimate", lambda **given: (
        right.log_partition_estimate(**given) + math.log(len(given["log_weights"]))))),
    Mistake("log_partition_estimate", "overflows", _after_checks(
        "log_partition_estimate", lambda log_weights, weight, base_bias: (
            log_weights.exp().mean().log() + softplus(base_bias).sum() + weight.shape[1] * math.log(2) + 0 * weight.sum()))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("intermediate_log_prob", "the hidden states added up", _after_checks(
        "intermediate_log_prob", lambda visible, inverse_temperature, weight, visible_bias, hidden_bias, base_bias: (
            lambda hidden: torch.stack([
                (1 - inverse_temperature) * (visible @ base_bias) - inverse_temperature * energy(
                    visible, state.expand(len(visible), -1), weight, visible_bias, hidden_bias)
                for state in hidden], 1).logsumexp(1))(
            torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=weight.dtype)] * weight.shape[1]).view(-1, weight.shape[1])))),
    Mistake("transition", "written out", _after_checks("transition", _moved)),
    Mistake("log_weights", "factor by factor", _after_checks("log_weights", _walks)),
)  # fmt: skip
