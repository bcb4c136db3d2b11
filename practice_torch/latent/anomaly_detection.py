"""Anomaly detection: scores on a common scale, a threshold from normal observations, and how well a ranking separates.

A high score means anomaly; the label of an anomaly is 1, that of a normal observation 0. Rankings have no gradient: those of
area_under_roc, average_precision and false_positive_rate_at_recall are zero.
"""

from statistics import NormalDist

import torch

from practice_torch.arguments import require, require_binary, require_rank, require_same_shape, require_values

DEVIATIONS = 1 / NormalDist().inv_cdf(0.75)  # a Gaussian's standard deviation in median absolute deviations, 1.4826...


def reconstruction_log_probability(log_likelihood):
    r"""1/S sum_s log p(x|z_s), z_s drawn from q(z|x), in nats: minus this is a score.

    Raises ValueError if log_likelihood has not two axes, or S = 0.  Source: An & Cho 2015, algorithm 4.
    [B, S] -> [B]
    """
    require_rank(2, log_likelihood=log_likelihood)
    given = list(log_likelihood.shape)
    require(given[1] > 0, f"log_likelihood has shape {given}; its last axis must not be empty")
    return log_likelihood.mean(dim=1)


def robust_z_score(scores, reference):
    r"""(s - m) / (1.4826... median |r - m|), m = the median of the reference r: standard deviations, if r is Gaussian.

    The constant is 1 / Phi^-1(3/4). The median of an even number of values is the mean of the two in the middle.

    Raises ValueError if reference is empty or not finite, or more than half of it is equal to its median, so that the median
    deviation is 0.  Source: Iglewicz & Hoaglin 1993.
    [N], [M] -> [N]
    """
    require_rank(1, scores=scores)
    _require_reference(reference)
    require_values("reference", reference, torch.isfinite, "finite")
    center = _median(reference)
    deviation = _median((reference - center).abs())
    require_values("reference", reference, lambda r: deviation > 0, "of more spread: its median absolute deviation is 0")
    return (scores - center) / (DEVIATIONS * deviation)


def threshold_at_false_positive_rate(reference, *, rate):
    r"""The (j + 1)-th largest reference score t, j = floor(rate M), the largest whole number with j/M <= rate: flag s > t.

    At most j of the M reference scores are above it. A fresh normal score is above it with the probability (j + 1)/(M + 1), which
    can be more than the rate.

    Raises ValueError if reference is empty or has a NaN, or rate is not in [0, 1).  Source: Fawcett 2006.
    [M] -> []
    """
    _require_reference(reference)
    require(0 <= rate < 1, f"rate is {rate}; it must be in [0, 1)")
    require_values("reference", reference, lambda r: ~r.isnan(), "a number, not NaN")
    count = len(reference)
    allowed = round(rate * count)
    if allowed / count > rate:  # rounded up; floor(rate * count) would take 0.29 * 100 for 28
        allowed -= 1
    return reference.sort(descending=True).values[allowed]


def area_under_roc(scores, labels):
    r"""P(s_1 > s_0) + 1/2 P(s_1 = s_0), of an anomaly's score s_1 and a normal one's s_0.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, or
    one of both classes is missing.  Source: Fawcett 2006, section 7; Mann & Whitney 1947.
    [N], [N] -> []
    """
    _, found, disturbed = _flagged(scores, labels)
    # Twice the area by trapezoids, in integers: float32 cannot count the pairs.
    width = torch.diff(disturbed, prepend=disturbed.new_zeros(1))
    height = found + torch.cat([found.new_zeros(1), found[:-1]])
    return (width * height).sum().to(scores.dtype) / (2 * found[-1] * disturbed[-1])


def average_precision(scores, labels):
    r"""sum_t (R_t - R_{t-1}) P_t over the distinct scores t from high to low; R_t recall, P_t precision of flagging s >= t.

    It is the mean over all anomalies of the precision at their own score.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, or
    one of both classes is missing.  Source: Davis & Goadrich 2006.
    [N], [N] -> []
    """
    anomalous, found, disturbed = _flagged(scores, labels)
    precision = found.to(scores.dtype) / (found + disturbed)
    return (precision * anomalous).sum() / found[-1]


def false_positive_rate_at_recall(scores, labels, *, recall=0.95):
    r"""The share of normal observations with s >= t, t = the highest score at which the share of anomalies is recall or more.

    Raises ValueError if the shapes differ, scores has fewer than two entries or a NaN, an entry of labels is neither 0 nor 1, one
    of both classes is missing, or recall is not in (0, 1].  Source: Fawcett 2006.
    [N], [N] -> []
    """
    require(0 < recall <= 1, f"recall is {recall}; it must be in (0, 1]")
    _, found, disturbed = _flagged(scores, labels)
    enough = found.double() / found[-1] >= recall
    return disturbed.where(enough, disturbed[-1]).amin().to(scores.dtype) / disturbed[-1]


def _flagged(scores, labels):
    """At each score, the highest first: whether it is an anomaly's, and how many anomalies and normal ones are at it or above."""
    require_rank(1, scores=scores)
    require_same_shape(scores=scores, labels=labels)
    require(len(scores) > 1, f"scores has {len(scores)} entries; it must have at least 2, of both classes")
    require_values("scores", scores, lambda s: ~s.isnan(), "a number, not NaN")
    require_binary(labels=labels)
    for label in (0, 1):
        require_values("labels", labels, lambda y, label=label: (y == label).any(), f"of both classes: no {label} is among them")
    falling, order = scores.detach().sort(descending=True)
    anomalous = (labels == 1)[order]
    last = torch.searchsorted(-falling, -falling, right=True) - 1  # of equal scores the last, at which all of them are counted
    return anomalous, anomalous.cumsum(0)[last], (~anomalous).cumsum(0)[last]


def _require_reference(reference):
    require_rank(1, reference=reference)
    require(len(reference) > 0, "reference has 0 scores; it must have at least 1")


def _median(values):
    """torch.median takes the lower of two values in the middle."""
    count = len(values)
    return values.sort().values[(count - 1) // 2 : count // 2 + 1].mean()
