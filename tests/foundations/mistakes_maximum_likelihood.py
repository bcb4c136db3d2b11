"""Wrong forms of maximum likelihood that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import maximum_likelihood as right
from tests.support.mistakes import Mistake


def _kl_terms(log_probs_p, log_probs_q):
    return log_probs_p.exp() * (log_probs_p - log_probs_q)


def _nan_gradient_at_zero(log_probs_p, log_probs_q):
    """The value is masked after the fact: right, but the gradient goes through inf - inf."""
    terms = _kl_terms(log_probs_p, log_probs_q)
    return torch.where(log_probs_p == -torch.inf, 0.0, terms).sum(-1)


def _without_check(labels, *, num_categories):
    one_hot = labels[:, None] == torch.arange(num_categories)
    return one_hot.to(torch.get_default_dtype()).mean(0)


def _unbiased(x):
    variance, mean = torch.var_mean(x, dim=0, correction=1)
    return mean, variance.log()


def _gaussian_kl(mean_p, log_var_p, mean_q, log_var_q):
    return 0.5 * (log_var_q - log_var_p + (log_var_p.exp() + (mean_p - mean_q) ** 2) * (-log_var_q).exp() - 1)


MISTAKES = (
    Mistake("empirical_distribution", "accepts labels outside the categories", _without_check, only_checks=True),
    Mistake("empirical_distribution", "counts instead of frequencies",
            lambda labels, *, num_categories: right.empirical_distribution(labels, num_categories=num_categories) * len(labels)),
    Mistake("categorical_negative_log_likelihood", "log of softmax overflows to -inf",
            lambda labels, logits: -logits.softmax(-1).log().gather(1, labels[:, None])[:, 0]),
    Mistake("categorical_negative_log_likelihood", "mean over the batch",
            lambda labels, logits: torch.nn.functional.cross_entropy(logits, labels)),
    Mistake("categorical_negative_log_likelihood", "gathers with the labels as they come", lambda labels, logits: (
        right._require_labels(labels, logits.shape[1])
        or -logits.log_softmax(-1).gather(1, labels[:, None])[:, 0]
    ), narrow=True),
    Mistake("categorical_negative_log_likelihood", "sign",
            lambda labels, logits: -right.categorical_negative_log_likelihood(labels, logits)),
    Mistake("entropy", "NaN at probability zero", lambda log_probs: -(log_probs.exp() * log_probs).sum(-1)),
    Mistake("entropy", "bits", lambda log_probs: right.entropy(log_probs) / math.log(2)),
    Mistake("entropy", "NaN gradient at probability zero",
            lambda log_probs: -torch.where(log_probs == -torch.inf, 0.0, log_probs.exp() * log_probs).sum(-1)),
    Mistake("cross_entropy", "arguments swapped", lambda log_probs_p, log_probs_q: right.cross_entropy(log_probs_q, log_probs_p)),
    Mistake("cross_entropy", "drops impossible outcomes",
            lambda log_probs_p, log_probs_q: -(log_probs_p.exp() * log_probs_q.nan_to_num(neginf=0.0)).sum(-1)),
    Mistake("kl_divergence", "arguments swapped", lambda log_probs_p, log_probs_q: right.kl_divergence(log_probs_q, log_probs_p)),
    Mistake("kl_divergence", "NaN at p = 0", lambda log_probs_p, log_probs_q: _kl_terms(log_probs_p, log_probs_q).sum(-1)),
    Mistake("kl_divergence", "NaN gradient at p = 0", _nan_gradient_at_zero),
    Mistake("kl_divergence", "mean over the categories",
            lambda log_probs_p, log_probs_q: right.kl_divergence(log_probs_p, log_probs_q) / log_probs_p.shape[-1]),
    Mistake("gaussian_negative_log_likelihood", "log_var read as log standard deviation",
            lambda x, mean, log_var: right.gaussian_negative_log_likelihood(x, mean, 2 * log_var)),
    Mistake("gaussian_negative_log_likelihood", "mean over dimensions",
            lambda x, mean, log_var: right.gaussian_negative_log_likelihood(x, mean, log_var) / x.shape[-1]),
    Mistake("gaussian_negative_log_likelihood", "forgets log 2 pi",
            lambda x, mean, log_var: 0.5 * (log_var + (x - mean) ** 2 * (-log_var).exp()).sum(-1)),
    Mistake("gaussian_maximum_likelihood", "unbiased variance", _unbiased),
    Mistake("gaussian_maximum_likelihood", "returns the variance, not its logarithm",
            lambda x: (x.mean(0), x.var(0, correction=0))),
    Mistake("gaussian_kl_divergence", "mean over dimensions", lambda **gaussians: _gaussian_kl(**gaussians).mean(-1)),
    Mistake("gaussian_kl_divergence", "forgets the half", lambda **gaussians: 2 * _gaussian_kl(**gaussians).sum(-1)),
    Mistake("gaussian_kl_divergence", "arguments swapped", lambda mean_p, log_var_p, mean_q, log_var_q: _gaussian_kl(
        mean_q, log_var_q, mean_p, log_var_p).sum(-1)),
    Mistake("gaussian_kl_divergence", "log_var read as log standard deviation",
            lambda mean_p, log_var_p, mean_q, log_var_q: _gaussian_kl(mean_p, 2 * log_var_p, mean_q, 2 * log_var_q).sum(-1)),
    Mistake("gaussian_kl_divergence", "float32 inside", lambda mean_p, log_var_p, mean_q, log_var_q: _gaussian_kl(
        *(a.float() for a in (mean_p, log_var_p, mean_q, log_var_q))).sum(-1).to(mean_p.dtype)),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "categorical_negative_log_likelihood",
        "log_softmax, then gather",
        lambda labels, logits: (
            right._require_labels(labels, logits.shape[1])
            or right.require(len(labels) == len(logits), "labels: one a row")
            or -logits.log_softmax(-1).gather(1, labels[:, None])[:, 0]
        ),
    ),
)
