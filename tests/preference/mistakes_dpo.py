"""Wrong forms of direct preference optimization that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.preference import dpo as right
from tests.support.mistakes import Mistake


def _log_ratio(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    return policy_chosen - policy_rejected - (reference_chosen - reference_rejected)


def _loss(u, epsilon=0.0):
    return -(1 - epsilon) * logsigmoid(u) - epsilon * logsigmoid(-u)


def _logits(change):
    """preference_logits of changed arguments."""
    return lambda *, kl_coefficient, **given: kl_coefficient * _log_ratio(**given | change(given))


def _dpo(change=lambda given: {}, of=_loss):
    return lambda *, kl_coefficient, label_smoothing=0.0, **given: of(
        kl_coefficient * _log_ratio(**given | change(given)), label_smoothing
    )


def _no_reference(given):
    return {"reference_chosen": 0 * given["reference_chosen"], "reference_rejected": 0 * given["reference_rejected"]}


def _swapped_reference(given):
    return {"reference_chosen": given["reference_rejected"], "reference_rejected": given["reference_chosen"]}


def _swapped(given):
    return {"policy_chosen": given["policy_rejected"], "policy_rejected": given["policy_chosen"], **_swapped_reference(given)}


def _detached(given):
    return {"policy_rejected": given["policy_rejected"].detach()}


def _robust(*, kl_coefficient, flip_probability, sign=-1.0, scale=None, **given):
    u = kl_coefficient * _log_ratio(**given)
    loss = -(1 - flip_probability) * logsigmoid(u) - sign * flip_probability * logsigmoid(-u)
    return loss / (scale or (1 - 2 * flip_probability))


def _margin(*, kl_coefficient, ties=0.5, kept=True, **given):
    chosen = kl_coefficient * (given["policy_chosen"] - given["reference_chosen"])
    rejected = kl_coefficient * (given["policy_rejected"] - given["reference_rejected"])
    accuracy = (chosen > rejected).to(chosen.dtype) + ties * (chosen == rejected).to(chosen.dtype)
    return (chosen, rejected, accuracy) if kept else (rejected, chosen, accuracy)


def _planted(function, name, wrong, **more):
    """The four log-probabilities by name, also where a law gives them by position."""

    def by_name(policy_chosen, policy_rejected, reference_chosen, reference_rejected, **settings):
        return wrong(
            policy_chosen=policy_chosen,
            policy_rejected=policy_rejected,
            reference_chosen=reference_chosen,
            reference_rejected=reference_rejected,
            **settings,
        )

    return Mistake(function, name, by_name, **more)


MISTAKES = (
    _planted("preference_logits", "the reference forgotten", _logits(_no_reference)),
    _planted("preference_logits", "the reference swapped", _logits(_swapped_reference)),
    _planted("preference_logits", "swapped", _logits(_swapped)),
    _planted("preference_logits", "divided by the coefficient", lambda *, kl_coefficient, **given: (
        _log_ratio(**given) / kl_coefficient)),
    _planted("preference_logits", "no gradient in the rejected one", _logits(_detached)),
    _planted("preference_logits", "accepts anything", _logits(lambda given: {}), only_checks=True),
    _planted("dpo_loss", "the reference forgotten", _dpo(_no_reference)),
    _planted("dpo_loss", "the reference swapped", _dpo(_swapped_reference)),
    _planted("dpo_loss", "chosen and rejected swapped", _dpo(_swapped)),
    _planted("dpo_loss", "the coefficient outside of sigma", lambda *, kl_coefficient, label_smoothing=0.0, **given: (
        kl_coefficient * _loss(_log_ratio(**given), label_smoothing))),
    _planted("dpo_loss", "the logarithm of a probability that underflowed", _dpo(of=lambda u, epsilon: (
        -(1 - epsilon) * u.sigmoid().log() - epsilon * (-u).sigmoid().log()))),
    _planted("dpo_loss", "smoothing of the other label", _dpo(of=lambda u, epsilon: _loss(u, 1 - epsilon if epsilon else 0.0))),
    _planted("dpo_loss", "smoothing ignored", _dpo(of=lambda u, epsilon: _loss(u))),
    _planted("dpo_loss", "no gradient in the rejected one", _dpo(_detached)),
    _planted("dpo_loss", "a hinge", _dpo(of=lambda u, epsilon: (1 - u).relu())),
    _planted("dpo_loss", "accepts any smoothing", _dpo(), only_checks=True),
    _planted("robust_dpo_loss", "plus", lambda **given: _robust(**given, sign=1.0)),
    _planted("robust_dpo_loss", "divided by 1 - epsilon", lambda *, flip_probability, **given: (
        _robust(**given, flip_probability=flip_probability, scale=1 - flip_probability))),
    _planted("robust_dpo_loss", "not divided", lambda **given: _robust(**given, scale=1.0)),
    _planted("robust_dpo_loss", "accepts more than half of the labels flipped", _robust, only_checks=True),
    _planted("gradient_weight", "of the chosen", lambda *, kl_coefficient, **given: (
        kl_coefficient * (kl_coefficient * _log_ratio(**given)).sigmoid())),
    _planted("gradient_weight", "without the coefficient", lambda *, kl_coefficient, **given: (
        (-kl_coefficient * _log_ratio(**given)).sigmoid())),
    _planted("gradient_weight", "1 - sigma, which rounds to 0", lambda *, kl_coefficient, **given: (
        kl_coefficient * (1 - (kl_coefficient * _log_ratio(**given)).sigmoid().float().to(given["policy_chosen"].dtype)))),
    _planted("implicit_reward_margin", "ties are lost", lambda **given: _margin(**given, ties=0.0)),
    _planted("implicit_reward_margin", "exchanged", lambda **given: _margin(**given, kept=False)),
    _planted("implicit_reward_margin", "the coefficient forgotten", lambda *, kl_coefficient, **given: (
        _margin(**given, kl_coefficient=1.0))),
    _planted("implicit_reward_margin", "NaN passes", _margin, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    _planted(
        "dpo_loss",
        "by logaddexp",
        _dpo(of=lambda u, epsilon: (1 - epsilon) * torch.logaddexp(-u, 0 * u) + epsilon * torch.logaddexp(u, 0 * u)),
        core_alone=True,
    ),
    _planted(
        "implicit_reward_margin", "by comparisons", lambda **given: right.implicit_reward_margin(**given) and _margin(**given)
    ),
)
