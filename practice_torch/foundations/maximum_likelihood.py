"""Maximum likelihood: categorical and Gaussian likelihoods, entropies and Kullback-Leibler divergences, in nats."""

import math

import torch
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_log_probs, require_rank, require_same_shape, require_values


def empirical_distribution(labels, *, num_categories):
    r"""The empirical distribution p_hat_k = (1/B) sum_b 1[labels_b = k]: the reduction over B is inherent.

    Raises ValueError if labels is empty or holds a label outside 0..K-1.  Source: Cover & Thomas, ch. 11.
    [B] -> [K]
    """
    require_rank(1, labels=labels)
    require(labels.numel() > 0, "labels is empty; an empirical distribution needs at least one label")
    _require_labels(labels, num_categories)
    counts = torch.bincount(as_int64(labels), minlength=num_categories)
    return counts.to(torch.get_default_dtype()) / labels.numel()


def categorical_negative_log_likelihood(labels, logits):
    r"""-log softmax(logits)_label, in nats.

    Raises ValueError if the batch sizes differ or a label is outside 0..K-1.  Source: Bishop, PRML, 4.3.4.
    [B], [B, K] -> [B]
    """
    require_rank(1, labels=labels)
    require_rank(2, logits=logits)
    require(
        labels.shape[0] == logits.shape[0],
        f"labels has {labels.shape[0]} entries; it must have one for each of the {logits.shape[0]} rows of logits",
    )
    _require_labels(labels, logits.shape[1])
    return functional.cross_entropy(logits, as_int64(labels), reduction="none")


def entropy(log_probs):
    r"""H(p) = -sum_k p_k log p_k, in nats, with 0 log 0 = 0.

    Raises ValueError if a row of log_probs does not sum to one.  Source: Cover & Thomas, eq. 2.1.
    [B, K] -> [B]
    """
    require_rank(2, log_probs=log_probs)
    require_log_probs(log_probs=log_probs)
    return -_expectation(log_probs, log_probs)


def cross_entropy(log_probs_p, log_probs_q):
    r"""CE(p, q) = -sum_k p_k log q_k, in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, ch. 2.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    return -_expectation(log_probs_p, log_probs_q)


def kl_divergence(log_probs_p, log_probs_q):
    r"""KL(p || q) = sum_k p_k (log p_k - log q_k), in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, eq. 2.26.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    # Where p = 0 the term is 0 for any q; avoid -inf - -inf there.
    impossible = log_probs_p == -torch.inf
    log_ratio = torch.where(impossible, 0.0, log_probs_p) - torch.where(impossible, 0.0, log_probs_q)
    return _expectation(log_probs_p, log_ratio)


def gaussian_negative_log_likelihood(x, mean, log_var):
    r"""-log N(x; mean, e^log_var), diagonal, in nats.

    1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Bishop, PRML, eq. 2.43.
    [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean, log_var=log_var)
    return 0.5 * (math.log(2 * math.pi) + log_var + (x - mean).square() * torch.exp(-log_var)).sum(dim=-1)


def gaussian_maximum_likelihood(x):
    r"""The diagonal Gaussian of maximum likelihood: the sample mean, and the log of the biased (1/B) variance.

    Raises ValueError if B < 2 or a column is constant (its variance is 0 and the likelihood unbounded).
    Source: Bishop, PRML, eqs. 1.55 and 1.56.
    [B, D] -> [D], [D]
    """
    require_rank(2, x=x)
    require(x.shape[0] >= 2, f"x has {x.shape[0]} rows; a variance needs at least 2")
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    require_values("x", x, lambda a: (a != a[:1]).any(dim=0), "free of constant columns: the likelihood is unbounded there")
    return mean, variance.log()


def gaussian_kl_divergence(mean_p, log_var_p, mean_q, log_var_q):
    r"""KL(N(mean_p, e^log_var_p) || N(mean_q, e^log_var_q)), diagonal, in nats.

    1/2 sum_d [ log_var_q - log_var_p + (e^log_var_p + (mean_p - mean_q)^2) e^-log_var_q - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, D], [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, mean_p=mean_p)
    require_same_shape(mean_p=mean_p, log_var_p=log_var_p, mean_q=mean_q, log_var_q=log_var_q)
    # e^r - 1 - r with r = log_var_p - log_var_q: expm1 keeps the digits when the variances nearly agree.
    log_var_ratio = log_var_p - log_var_q
    shift = (mean_p - mean_q).square() * torch.exp(-log_var_q)
    return 0.5 * (torch.expm1(log_var_ratio) - log_var_ratio + shift).sum(dim=-1)


def _expectation(log_probs, values):
    """sum_k p_k values_k over the last axis, where p_k = 0 silences any value, in the gradient too."""
    impossible = log_probs == -torch.inf
    return (torch.exp(log_probs) * torch.where(impossible, 0.0, values)).sum(dim=-1)


def _require_labels(labels, num_categories):
    allowed = f"one of the {num_categories} categories 0..{num_categories - 1}"
    require_values("labels", labels, lambda a: (a >= 0) & (a < num_categories), allowed)


def _require_pair(log_probs_p, log_probs_q):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
