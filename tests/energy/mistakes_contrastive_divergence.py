"""Wrong forms of contrastive divergence that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.energy import contrastive_divergence as right
from practice_torch.energy.restricted_boltzmann_machine import free_energy, gibbs_step
from tests.support.mistakes import Mistake, after_checks

_after_checks = partial(after_checks, right)


def _on(visible, weight, hidden_bias):
    return (visible @ weight + hidden_bias).sigmoid()


def _means(visible, on):
    return visible.mT @ on / len(visible), visible.mean(0), on.mean(0)


def _difference(positive, negative):
    return tuple(a - b for a, b in zip(positive, negative, strict=True))


def _with_hidden_of_the_data(positive_visible, negative_visible, weight, hidden_bias):
    on = _on(positive_visible, weight, hidden_bias).mean(0).expand(len(negative_visible), -1)
    positive = _means(positive_visible, _on(positive_visible, weight, hidden_bias))
    return _difference(positive, _means(negative_visible, on))


def _steps(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias, restarts=False, passes_on=False):
    state = visible
    for up, down in zip(hidden_uniforms, visible_uniforms, strict=True):
        start = visible if restarts else state
        if passes_on:
            chance = _on(start, weight, hidden_bias)
            state = (down < (visible_bias + chance @ weight.mT).sigmoid()).to(weight.dtype)
        else:
            state, _ = gibbs_step(start, up, down, weight, visible_bias, hidden_bias)
    return state


def _states(units, like):
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=like.dtype)] * units).view(2**units, units)


def _matrix_by_pairs(weight, visible_bias, hidden_bias, up=1.0, flipped=False):
    """Each pair of states of the layers by its energy. flipped: the first unit is the least significant."""
    visible, hidden = (_states(units, weight) for units in weight.shape)
    visible = visible.flip(1) if flipped else visible
    joint = visible @ weight @ hidden.mT + up * (visible @ visible_bias)[:, None] + hidden @ hidden_bias
    return joint.softmax(1) @ (joint + (1 - up) * (visible @ visible_bias)[:, None]).mT.softmax(1)


MISTAKES = (
    Mistake("sufficient_statistics", "the likelier state in place of the probability", _after_checks(
        "sufficient_statistics", lambda visible, weight, hidden_bias: (
            visible[:, :, None] * _on(visible, weight, hidden_bias)[:, None].round() + 0 * weight, visible,
            _on(visible, weight, hidden_bias).round() + 0 * hidden_bias))),
    Mistake("sufficient_statistics", "the hidden bias forgotten", _after_checks(
        "sufficient_statistics", lambda visible, weight, hidden_bias: (
            right.sufficient_statistics(visible, weight, 0 * hidden_bias)))),
    Mistake("sufficient_statistics", "visible units weighted by all hidden ones", _after_checks(
        "sufficient_statistics", lambda visible, weight, hidden_bias: (
            visible[:, :, None] * _on(visible, weight, hidden_bias).mean(1)[:, None, None] + 0 * weight, visible,
            _on(visible, weight, hidden_bias)))),
    Mistake("gradient", "descent", _after_checks("gradient", lambda **given: tuple(-part for part in right.gradient(**given)))),
    Mistake("gradient", "sums over the batches", _after_checks(
        "gradient", lambda positive_visible, negative_visible, weight, hidden_bias: _difference(*(
            [len(rows) * mean for mean in _means(rows, _on(rows, weight, hidden_bias))]
            for rows in (positive_visible, negative_visible))))),
    Mistake("gradient", "the data's hidden units in both terms", _after_checks("gradient", _with_hidden_of_the_data)),
    Mistake("gradient", "the chain's term forgotten", _after_checks(
        "gradient", lambda positive_visible, negative_visible, weight, hidden_bias: (
            _means(positive_visible, _on(positive_visible, weight, hidden_bias))))),
    Mistake("gradient", "an empty batch counts as nothing", lambda positive_visible, negative_visible, weight, hidden_bias: (
        _difference(*((rows.mT @ _on(rows, weight, hidden_bias) / max(len(rows), 1), rows.sum(0) / max(len(rows), 1),
                       _on(rows, weight, hidden_bias).sum(0) / max(len(rows), 1))
                      for rows in (positive_visible, negative_visible)))), only_checks=True),
    Mistake("chain", "begun anew at every step", _after_checks("chain", partial(_steps, restarts=True))),
    Mistake("chain", "probabilities of the hidden units are passed on", _after_checks("chain", partial(_steps, passes_on=True))),
    Mistake("chain", "a step too few", _after_checks("chain", lambda hidden_uniforms, visible_uniforms, **given: (
        _steps(hidden_uniforms=hidden_uniforms[1:], visible_uniforms=visible_uniforms[1:], **given)))),
    Mistake("chain", "the same numbers in every step", _after_checks("chain", lambda hidden_uniforms, visible_uniforms, **given: (
        _steps(hidden_uniforms=hidden_uniforms[:1].expand_as(hidden_uniforms),
               visible_uniforms=visible_uniforms[:1].expand_as(visible_uniforms), **given)))),
    Mistake("gibbs_matrix", "transposed", _after_checks("gibbs_matrix", lambda **given: right.gibbs_matrix(**given).mT)),
    Mistake("gibbs_matrix", "the first unit the least significant", _after_checks(
        "gibbs_matrix", partial(_matrix_by_pairs, flipped=True))),
    Mistake("gibbs_matrix", "two steps", _after_checks("gibbs_matrix", lambda **given: (
        right.gibbs_matrix(**given) @ right.gibbs_matrix(**given)))),
    Mistake("gibbs_matrix", "the hidden units at their means", _after_checks(
        "gibbs_matrix", lambda weight, visible_bias, hidden_bias: (
            lambda states: torch.where(states[None] == 1, 1.0, -1.0).mul(
                (visible_bias + _on(states, weight, hidden_bias) @ weight.mT)[:, None]).sigmoid().prod(2))(
                    _states(len(weight), weight)))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "gradient",
        "the slope of the difference of mean free energies",
        _after_checks(
            "gradient",
            lambda positive_visible, negative_visible, weight, hidden_bias: (
                lambda loss: torch.func.grad(loss, argnums=(0, 1, 2))(weight, 0 * weight[:, 0], hidden_bias)
            )(lambda *machine: free_energy(negative_visible, *machine).mean() - free_energy(positive_visible, *machine).mean()),
        ),
    ),
    Mistake("chain", "by Gibbs steps", _after_checks("chain", _steps)),
    Mistake("gibbs_matrix", "by the energies of the pairs", _after_checks("gibbs_matrix", _matrix_by_pairs)),
)
