"""Wrong forms of restricted Boltzmann machines that the rows must refuse, and other right forms that they must accept."""

import itertools
import math
from functools import partial

import torch
from torch.nn.functional import softplus

from practice_torch.energy import restricted_boltzmann_machine as right
from tests.support.mistakes import Mistake, after_checks

_after_checks = partial(after_checks, right)


def _states(units, like):
    rows = list(itertools.product((0.0, 1.0), repeat=units))
    return torch.tensor(rows, dtype=like.dtype).reshape(2**units, units)


def _step(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias, passed_on=None, compare=torch.lt):
    chance = (hidden_bias + visible @ weight).sigmoid()
    hidden = compare(hidden_uniforms, chance).to(visible.dtype)
    again = (visible_bias + (hidden if passed_on is None else passed_on(chance)) @ weight.mT).sigmoid()
    return compare(visible_uniforms, again).to(visible.dtype), hidden


def _free(visible, weight, visible_bias, hidden_bias, over_threshold=torch.nn.functional.softplus):
    return -(visible @ visible_bias) - over_threshold(visible @ weight + hidden_bias).sum(1)


def _partition_of_pairs(weight, visible_bias, hidden_bias):
    """Both layers enumerated."""
    visible, hidden = _states(weight.shape[0], weight), _states(weight.shape[1], weight)
    joint = (visible @ visible_bias)[:, None] + hidden @ hidden_bias + visible @ weight @ hidden.mT
    return joint.flatten().logsumexp(0)


MISTAKES = (
    Mistake("energy", "the sign", _after_checks("energy", lambda **given: -right.energy(**given))),
    Mistake("energy", "the hidden bias forgotten", _after_checks("energy", lambda hidden_bias, **given: (
        right.energy(hidden_bias=0 * hidden_bias, **given)))),
    Mistake("energy", "the mean over pairs of units", _after_checks(
        "energy", lambda visible, hidden, weight, visible_bias, hidden_bias: (
        -visible @ visible_bias - hidden @ hidden_bias - ((visible @ weight) * hidden).sum(1) / weight.numel()))),
    Mistake("free_energy", "the hidden bias outside of the softplus", _after_checks(
        "free_energy", lambda visible, weight, visible_bias, hidden_bias: (
            -(visible @ visible_bias) - softplus(visible @ weight).sum(1) - hidden_bias.sum()))),
    Mistake("free_energy", "log(1 + e^a) overflows", _after_checks("free_energy", lambda **given: (
        _free(**given, over_threshold=lambda a: (1 + a.exp()).log())))),
    Mistake("free_energy", "the mean over hidden units", _after_checks(
        "free_energy", lambda visible, weight, visible_bias, hidden_bias: (
        -(visible @ visible_bias) - softplus(visible @ weight + hidden_bias).mean(1)))),
    Mistake("free_energy", "the energy at the likeliest hidden state", _after_checks("free_energy", lambda **given: (
        _free(**given, over_threshold=torch.relu)))),
    Mistake("hidden_logits", "probabilities",
            _after_checks("hidden_logits", lambda **given: right.hidden_logits(**given).sigmoid())),
    Mistake("hidden_logits", "no bias",
            _after_checks("hidden_logits", lambda **given: right.hidden_logits(**given) - given["hidden_bias"])),
    Mistake("visible_logits", "no bias",
            _after_checks("visible_logits", lambda **given: right.visible_logits(**given) - given["visible_bias"])),
    Mistake("visible_logits", "weights without gradient", lambda hidden, weight, visible_bias: (
        right.visible_logits(hidden, weight.detach(), visible_bias) + 0 * weight.sum())),
    Mistake("gibbs_step", "a probability is passed on", _after_checks("gibbs_step", lambda **given: (
        _step(**given, passed_on=lambda chance: chance)))),
    Mistake("gibbs_step", "a unit is 1 above its probability", _after_checks("gibbs_step", lambda **given: (
        _step(**given, compare=torch.ge)))),
    Mistake("gibbs_step", "the visible layer is drawn from the old one's rounding", _after_checks("gibbs_step", lambda **given: (
        _step(**given, passed_on=torch.round)))),
    Mistake("gibbs_step", "the hidden layer returned first",
            _after_checks("gibbs_step", lambda **given: right.gibbs_step(**given)[::-1])),
    Mistake("exact_log_partition", "the other layer's softplus forgotten", _after_checks(
        "exact_log_partition", lambda weight, visible_bias, hidden_bias: (
            (_states(weight.shape[1], weight) @ hidden_bias).logsumexp(0) + 0 * weight.sum() + 0 * visible_bias.sum()))),
    Mistake("exact_log_partition", "the mean over states", _after_checks("exact_log_partition", lambda **given: (
        right.exact_log_partition(**given) - min(given["weight"].shape) * math.log(2)))),
    Mistake("exact_log_partition", "overflows", _after_checks("exact_log_partition", lambda weight, visible_bias, hidden_bias: (
        (-_free(_states(weight.shape[0], weight), weight, visible_bias, hidden_bias)).exp().sum().log()
        if weight.shape[0] < 9 else right.exact_log_partition(weight, visible_bias, hidden_bias)))),
    Mistake("log_likelihood", "not normalized", _after_checks("log_likelihood", lambda **given: -right.free_energy(**given))),
    Mistake("log_likelihood", "the normalizer is a constant", _after_checks(
        "log_likelihood", lambda visible, weight, visible_bias, hidden_bias: (
            -right.free_energy(visible, weight, visible_bias, hidden_bias)
            - right.exact_log_partition(weight, visible_bias, hidden_bias).detach()))),
    Mistake("log_likelihood", "normalized over the batch", _after_checks("log_likelihood", lambda **given: (
        (-right.free_energy(**given)).log_softmax(0)))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("free_energy", "the softplus by logaddexp", _after_checks("free_energy", lambda **given: (
        _free(**given, over_threshold=lambda a: torch.logaddexp(a, torch.zeros_like(a)))))),
    Mistake("exact_log_partition", "over the pairs of states", _after_checks(
        "exact_log_partition", lambda weight, visible_bias, hidden_bias: (
        _partition_of_pairs(weight, visible_bias, hidden_bias) if weight.shape[0] < 9
        else right.exact_log_partition(weight, visible_bias, hidden_bias)))),
)  # fmt: skip
