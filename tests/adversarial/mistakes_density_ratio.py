"""Wrong forms of density ratios that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import density_ratio as right
from tests.support.mistakes import Mistake


def _fit(kernel_numerator, kernel_denominator, *, ridge, sums=False, scaled=False, swap=False, centered=False):
    """Ridge regression in another scale, of other means, or of the wrong side."""
    right.kernel_ratio_fit(kernel_numerator, kernel_denominator, ridge=ridge)  # for its checks
    of_p, of_q = (kernel_denominator, kernel_numerator) if swap else (kernel_numerator, kernel_denominator)
    count = 1 if sums else len(of_q)
    around = of_q - of_q.mean(0) if centered else of_q
    penalty = (ridge / len(of_q) if scaled else ridge) * torch.eye(of_q.shape[1], dtype=of_q.dtype)
    return torch.linalg.solve(around.T @ around / count + penalty, of_p.sum(0) if sums else of_p.mean(0))


def _fitted(**how):
    return lambda kernel_numerator, kernel_denominator, *, ridge: _fit(kernel_numerator, kernel_denominator, ridge=ridge, **how)


MISTAKES = (
    Mistake("log_ratio_from_classifier", "prior odds added", lambda logits, *, log_prior_odds=0.0:
            right.log_ratio_from_classifier(logits, log_prior_odds=-log_prior_odds)),
    Mistake("log_ratio_from_classifier", "prior odds left in", lambda logits, *, log_prior_odds=0.0: logits + 0.0),
    Mistake("log_ratio_from_classifier", "turned over", lambda logits, *, log_prior_odds=0.0: log_prior_odds - logits),
    Mistake("log_ratio_from_classifier", "by way of the probability", lambda logits, *, log_prior_odds=0.0:
            logits.sigmoid().log() - (1 - logits.sigmoid()).log() - log_prior_odds),
    Mistake("logistic_ratio_loss", "labels exchanged", lambda logits, labels: right.logistic_ratio_loss(-logits, labels)),
    Mistake("logistic_ratio_loss", "sign", lambda logits, labels: -right.logistic_ratio_loss(logits, labels)),
    Mistake("logistic_ratio_loss", "averaged", lambda logits, labels: right.logistic_ratio_loss(logits, labels).mean()),
    Mistake("logistic_ratio_loss", "probabilities first", lambda logits, labels: -torch.where(
        labels == 1, logits.sigmoid().log(), (1 - logits.sigmoid()).log())),
    Mistake("logistic_ratio_loss", "a softplus that becomes the identity", lambda logits, labels: functional.softplus(
        torch.where(labels == 1, -logits, logits), threshold=5)),
    Mistake("logistic_ratio_loss", "any label", lambda logits, labels: right.logistic_ratio_loss(logits, (labels > 0).long()),
            only_checks=True),
    Mistake("logistic_ratio_loss", "1 - 2y in narrow integers", lambda logits, labels: -functional.logsigmoid(
        -logits * (1 - 2 * labels)), narrow=True),
    Mistake("least_squares_ratio_loss", "no half", lambda ratio_numerator, ratio_denominator:
            ratio_denominator**2 - ratio_numerator),
    Mistake("least_squares_ratio_loss", "p and q exchanged", lambda ratio_numerator, ratio_denominator:
            right.least_squares_ratio_loss(ratio_denominator, ratio_numerator)),
    Mistake("least_squares_ratio_loss", "sign", lambda ratio_numerator, ratio_denominator:
            ratio_denominator**2 / 2 + ratio_numerator),
    Mistake("kernel_ratio_fit", "ridge over the number of draws", _fitted(scaled=True)),
    Mistake("kernel_ratio_fit", "sums for means", _fitted(sums=True)),
    Mistake("kernel_ratio_fit", "p and q exchanged", _fitted(swap=True)),
    Mistake("kernel_ratio_fit", "features without their mean", _fitted(centered=True)),
    Mistake("kernel_ratio_fit", "no ridge", lambda kernel_numerator, kernel_denominator, *, ridge: right.kernel_ratio_fit(
        kernel_numerator, kernel_denominator, ridge=1e-9 * ridge)),
    Mistake("rejection_log_acceptance", "the bound on the wrong side", lambda log_ratio, *, log_bound:
            right.rejection_log_acceptance(log_ratio, log_bound=-log_bound)),
    Mistake("rejection_log_acceptance", "the ratio turned over", lambda log_ratio, *, log_bound:
            right.rejection_log_acceptance(-log_ratio, log_bound=log_bound)),
    Mistake("rejection_log_acceptance", "not capped", lambda log_ratio, *, log_bound: log_ratio - log_bound),
    Mistake("rejection_log_acceptance", "the probability", lambda log_ratio, *, log_bound:
            right.rejection_log_acceptance(log_ratio, log_bound=log_bound).exp()),
)  # fmt: skip


def _torchs_cross_entropy(logits, labels):
    right.logistic_ratio_loss(logits, labels)  # for its checks
    signed = torch.where(labels == 1, logits, -logits)
    return functional.binary_cross_entropy_with_logits(signed, torch.ones_like(signed), reduction="none")


def _inverted(kernel_numerator, kernel_denominator, *, ridge):
    right.kernel_ratio_fit(kernel_numerator, kernel_denominator, ridge=ridge)  # for its checks
    return _fit(kernel_numerator, kernel_denominator, ridge=ridge)


EQUIVALENT = (
    Mistake("logistic_ratio_loss", "torch's cross-entropy", _torchs_cross_entropy),
    Mistake("kernel_ratio_fit", "by elimination", _inverted),
)
