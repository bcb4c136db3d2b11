"""Anomaly detection (lecture 21): what a score is worth, where a threshold is put, and why the likelihood can fail.

A high score means anomaly; the label of an anomaly is 1, that of a normal observation 0. Rankings have no gradient: those of
area_under_roc, average_precision and false_positive_rate_at_recall are zero.
"""

import jax.numpy as jnp
import numpy as np
import scipy.special

from theory_jax.arguments import require, require_binary, require_rank, require_same_shape, require_values

_DEVIATIONS = float(1 / scipy.special.ndtri(0.75))  # a Gaussian's standard deviation in median absolute deviations, 1.4826...


def reconstruction_log_probability(log_likelihood):
    r"""1/S sum_s log p(x|z_s), z_s drawn from q(z|x), in nats: minus this is a score.

    Raises ValueError if log_likelihood has not two axes, or S = 0.  Source: An & Cho 2015, algorithm 4.
    [B, S] -> [B]
    """
    require_rank(2, log_likelihood=log_likelihood)
    given = list(log_likelihood.shape)
    require(given[1] > 0, f"log_likelihood has shape {given}; its last axis must not be empty")
    return jnp.mean(log_likelihood, axis=1)


def robust_z_score(scores, reference):
    r"""(s - m) / (1.4826... median |r - m|), m = the median of the reference r: standard deviations, if r is Gaussian.

    The constant is 1 / Phi^-1(3/4). The median of an even number of values is the mean of the two in the middle.

    Raises ValueError if reference is empty or not finite, or more than half of it is equal to its median, so that the median
    deviation is 0.  Source: Iglewicz & Hoaglin 1993.
    [N], [M] -> [N]
    """
    require_rank(1, scores=scores)
    _require_reference(reference)
    require_values("reference", reference, np.isfinite, "finite")
    center = _median(reference)
    deviation = _median(jnp.abs(reference - center))
    require_values("reference", reference, lambda r: deviation > 0, "of more spread: its median absolute deviation is 0")
    return (scores - center) / (_DEVIATIONS * deviation)


def threshold_at_false_positive_rate(reference, *, rate):
    r"""The (j + 1)-th largest reference score t, j = floor(rate M), the largest whole number with j/M <= rate: flag s > t.

    At most j of the M reference scores are above it. A fresh normal score is above it with the probability (j + 1)/(M + 1), which
    can be more than the rate.

    Raises ValueError if reference is empty or has a NaN, or rate is not in [0, 1).  Source: Fawcett 2006.
    [M] -> []
    """
    _require_reference(reference)
    require(0 <= rate < 1, f"rate is {rate}; it must be in [0, 1)")
    require_values("reference", reference, lambda r: ~np.isnan(r), "a number, not NaN")
    count = reference.shape[0]
    above = round(rate * count)
    if above / count > rate:  # it was rounded up; floor(rate * count) would take 0.29 * 100 for 28
        above -= 1
    return jnp.sort(reference)[count - 1 - above]


def area_under_roc(scores, labels):
    r"""P(s_1 > s_0) + 1/2 P(s_1 = s_0), of an anomaly's score s_1 and a normal one's s_0.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, or
    one of both classes is missing.  Source: Fawcett 2006, section 7; Mann & Whitney 1947.
    [N], [N] -> []
    """
    anomalous, normal = _classes(scores, labels)
    one, other = scores[:, None], scores
    won = (jnp.asarray(one > other, scores.dtype) + jnp.asarray(one >= other, scores.dtype)) / 2
    return anomalous @ won @ normal / (jnp.sum(anomalous) * jnp.sum(normal))


def average_precision(scores, labels):
    r"""sum_t (R_t - R_{t-1}) P_t over the distinct scores t from high to low; R_t recall, P_t precision of flagging s >= t.

    It is the mean over all anomalies of the precision at their own score.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, or
    one of both classes is missing.  Source: Davis & Goadrich 2006.
    [N], [N] -> []
    """
    anomalous, normal = _classes(scores, labels)
    found, disturbed = _flagged(scores, anomalous), _flagged(scores, normal)
    return (found / (found + disturbed)) @ anomalous / jnp.sum(anomalous)


def false_positive_rate_at_recall(scores, labels, *, recall=0.95):
    r"""The share of normal observations with s >= t, t = the highest score at which the share of anomalies is recall or more.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, one
    of both classes is missing, or recall is not in (0, 1].  Source: Fawcett 2006.
    [N], [N] -> []
    """
    require(0 < recall <= 1, f"recall is {recall}; it must be in (0, 1]")
    anomalous, normal = _classes(scores, labels)
    found, disturbed = (_flagged(scores, kind) / jnp.sum(kind) for kind in (anomalous, normal))
    return jnp.min(jnp.where(found >= recall, disturbed, 1.0))


def _classes(scores, labels):
    """1 for anomalies and 1 for normal observations, in the dtype of the scores: [N], [N]"""
    require_rank(1, scores=scores)
    require_same_shape(scores=scores, labels=labels)
    count = scores.shape[0]
    require(count > 1, f"scores has {count} entries; it must have at least 2, of both classes")
    require_values("scores", scores, lambda s: ~np.isnan(s), "a number, not NaN")
    require_binary(labels=labels)
    for label in (0, 1):
        require_values("labels", labels, lambda y, label=label: np.any(y == label), f"of both classes: no {label} is among them")
    return jnp.asarray(labels == 1, scores.dtype), jnp.asarray(labels == 0, scores.dtype)


def _flagged(scores, kind):
    """Number of examples of a kind flagged at each score: [N]"""
    return jnp.asarray(scores >= scores[:, None], scores.dtype) @ kind


def _require_reference(reference):
    require_rank(1, reference=reference)
    require(reference.shape[0] > 0, "reference has 0 scores; it must have at least 1")


def _median(values):
    ordered, count = jnp.sort(values), values.shape[0]
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
