"""Wrong forms of the variants of direct preference optimization that the rows must refuse, and other right forms."""

import torch
from torch.nn.functional import logsigmoid, softplus

from tests.support.mistakes import Mistake


def _h(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    return policy_chosen - policy_rejected - (reference_chosen - reference_rejected)


def _without_reference(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    return policy_chosen - policy_rejected + 0 * (reference_chosen - reference_rejected)


def _by_pairs(of, h=_h):
    """A loss of the margin alone; the log-probabilities by name or by position."""

    def loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, **setting):
        (value,) = setting.values()
        return of(h(policy_chosen, policy_rejected, reference_chosen, reference_rejected), value)

    return loss


def _kto(of, constant=True, point=1.0):
    """of(l - z_0, beta, lambda_D, lambda_U) gives the losses of a desirable and of an undesirable completion."""

    def loss(
        policy_log_probs,
        reference_log_probs,
        desirable,
        reference_point,
        *,
        kl_coefficient,
        desirable_weight=1.0,
        undesirable_weight=1.0,
    ):
        z = point * (reference_point.detach() if constant else reference_point)
        good, bad = of(policy_log_probs - reference_log_probs - z, kl_coefficient, desirable_weight, undesirable_weight)
        return torch.where(desirable, good, bad)

    return loss


def _sigmoids(x, beta, good, bad):
    return good * (-beta * x).sigmoid(), bad * (beta * x).sigmoid()


def _simpo(of, mean=lambda log_prob, length: log_prob / length):
    def loss(policy_chosen, policy_rejected, chosen_length, rejected_length, *, scale, margin):
        return of(mean(policy_chosen, chosen_length), mean(policy_rejected, rejected_length), scale, margin)

    return loss


def _log_odds(mean):
    return mean - torch.log(-torch.expm1(mean))


def _log_of_the_rest(mean):
    """log(1 - e^mean)."""
    return torch.where(mean > -0.7, torch.log(-torch.expm1(mean)), torch.log1p(-mean.exp()))


def _orpo(of):
    """of(mean of the chosen one, of the rejected one, lambda, sum of the chosen one, of the rejected one)."""

    def loss(policy_chosen, policy_rejected, chosen_length, rejected_length, *, odds_weight):
        return of(policy_chosen / chosen_length, policy_rejected / rejected_length, odds_weight, policy_chosen, policy_rejected)

    return loss


def _supervised_and_odds(c, r, weight):
    return -c - weight * logsigmoid(_log_odds(c) - _log_odds(r))


MISTAKES = (
    Mistake("ipo_loss", "the target 1 / tau", _by_pairs(lambda h, tau: (h - 1 / tau).square())),
    Mistake("ipo_loss", "the target tau / 2", _by_pairs(lambda h, tau: (h - tau / 2).square())),
    Mistake("ipo_loss", "tau times the margin", _by_pairs(lambda h, tau: (tau * h - 0.5).square())),
    Mistake("ipo_loss", "one-sided", _by_pairs(lambda h, tau: (0.5 / tau - h).relu().square())),
    Mistake("ipo_loss", "the reference forgotten", _by_pairs(lambda h, tau: (h - 0.5 / tau).square(), _without_reference)),
    Mistake("ipo_loss", "chosen and rejected swapped", _by_pairs(lambda h, tau: (h + 0.5 / tau).square())),
    Mistake("ipo_loss", "accepts any regularization", _by_pairs(lambda h, tau: (h - 0.5 / tau).square()), only_checks=True),
    Mistake("hinge_loss", "without the coefficient", _by_pairs(lambda h, beta: (1 - h).relu())),
    Mistake("hinge_loss", "the coefficient outside", _by_pairs(lambda h, beta: beta * (1 - h).relu())),
    Mistake("hinge_loss", "not clipped", _by_pairs(lambda h, beta: 1 - beta * h)),
    Mistake("hinge_loss", "a kink at 0", _by_pairs(lambda h, beta: (-beta * h).relu())),
    Mistake("hinge_loss", "squared", _by_pairs(lambda h, beta: (1 - beta * h).relu().square())),
    Mistake("hinge_loss", "smooth", _by_pairs(lambda h, beta: softplus(1 - beta * h))),
    Mistake("hinge_loss", "the reference forgotten", _by_pairs(lambda h, beta: (1 - beta * h).relu(), _without_reference)),
    Mistake("hinge_loss", "accepts any coefficient", _by_pairs(lambda h, beta: (1 - beta * h).relu()), only_checks=True),
    Mistake("kto_loss", "desirable and undesirable swapped", _kto(lambda *given: _sigmoids(*given)[::-1])),
    Mistake("kto_loss", "the weights swapped", _kto(lambda x, beta, good, bad: _sigmoids(x, beta, bad, good))),
    Mistake("kto_loss", "a gradient in the reference point", _kto(_sigmoids, constant=False)),
    Mistake("kto_loss", "the reference point forgotten", _kto(_sigmoids, point=0.0)),
    Mistake("kto_loss", "the reference point added", _kto(_sigmoids, point=-1.0)),
    Mistake("kto_loss", "a logarithm of the sigmoid", _kto(lambda x, beta, good, bad: (
        -good * logsigmoid(beta * x), -bad * logsigmoid(-beta * x)))),
    Mistake("kto_loss", "the gain, not the loss", _kto(lambda x, beta, good, bad: tuple(
        -part for part in _sigmoids(-x, beta, good, bad)))),
    Mistake("kto_loss", "1 - sigma, which rounds to 0", _kto(lambda x, beta, good, bad: (
        good * (1 - (beta * x).sigmoid().float().to(x.dtype)), bad * (1 - (-beta * x).sigmoid().float().to(x.dtype))))),
    Mistake("kto_loss", "accepts anything", _kto(_sigmoids), only_checks=True),
    Mistake("simpo_loss", "the margin inside the scale", _simpo(
        lambda c, r, scale, margin: -logsigmoid(scale * (c - r - margin)))),
    Mistake("simpo_loss", "the margin added", _simpo(lambda c, r, scale, margin: -logsigmoid(scale * (c - r) + margin))),
    Mistake("simpo_loss", "no margin", _simpo(lambda c, r, scale, margin: -logsigmoid(scale * (c - r)))),
    Mistake("simpo_loss", "sums, not means", _simpo(
        lambda c, r, scale, margin: -logsigmoid(scale * (c - r) - margin), lambda log_prob, length: log_prob)),
    Mistake("simpo_loss", "the logarithm of a probability that underflowed", _simpo(
        lambda c, r, scale, margin: -(scale * (c - r) - margin).sigmoid().log())),
    Mistake("simpo_loss", "accepts any length", _simpo(
        lambda c, r, scale, margin: -logsigmoid(scale * (c - r) - margin)), only_checks=True),
    Mistake("simpo_loss", "lengths from 0, in their own width", _simpo(
        lambda c, r, scale, margin: -logsigmoid(scale * (c - r) - margin),
        lambda log_prob, length: log_prob / ((length + 1).to(torch.int64) - 1)), narrow=True),
    Mistake("orpo_loss", "probabilities for odds", _orpo(lambda c, r, weight, *sums: -c - weight * logsigmoid(c - r))),
    Mistake("orpo_loss", "odds of the sums", _orpo(lambda c, r, weight, c_sum, r_sum: (
        -c - weight * logsigmoid(_log_odds(c_sum) - _log_odds(r_sum))))),
    Mistake("orpo_loss", "the supervised term forgotten", _orpo(
        lambda c, r, weight, *sums: _supervised_and_odds(c, r, weight) + c)),
    Mistake("orpo_loss", "the sum as the supervised term", _orpo(
        lambda c, r, weight, c_sum, _: _supervised_and_odds(c, r, weight) + c - c_sum)),
    Mistake("orpo_loss", "the sign of the odds", _orpo(lambda c, r, weight, *sums: _supervised_and_odds(c, r, -weight))),
    Mistake("orpo_loss", "odds by subtraction, of completions that are almost certain", _orpo(lambda c, r, weight, *sums: (
        -c - weight * logsigmoid(c - r - torch.log(1 - c.exp()) + torch.log(1 - r.exp()))))),
    Mistake("orpo_loss", "accepts certain completions", _orpo(
        lambda c, r, weight, *sums: _supervised_and_odds(c, r, weight)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("ipo_loss", "the square multiplied out", _by_pairs(lambda h, tau: h * h - h / tau + 0.25 / tau**2), core_alone=True),
    Mistake("kto_loss", "1 - sigma", _kto(lambda x, beta, good, bad: (
        good * (1 - (beta * x).sigmoid()), bad * (1 - (-beta * x).sigmoid()))), core_alone=True),
    Mistake("simpo_loss", "by logaddexp", _simpo(
        lambda c, r, scale, margin: torch.logaddexp(margin - scale * (c - r), 0 * c)), core_alone=True),
    Mistake("orpo_loss", "by log(1 - e^l) in two ways", _orpo(lambda c, r, weight, *sums: (
        -c + weight * softplus(r - c - _log_of_the_rest(r) + _log_of_the_rest(c)))), core_alone=True),
)  # fmt: skip
