"""Wrong forms of scores, thresholds and rankings that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.latent import anomaly_detection as right
from tests.support.mistakes import Mistake


def _robust(scores, reference, constant=right.DEVIATIONS, center=torch.median, spread=torch.median):
    right.robust_z_score(scores, reference)  # its checks
    m = center(reference)
    return (scores - m) / (constant * spread((reference - m).abs()))


def _threshold(reference, rate, place):
    """The entry at a place of the falling order, which is a function of rate and M."""
    right.threshold_at_false_positive_rate(reference, rate=rate)
    return reference.sort(descending=True).values[min(max(place(rate, len(reference)), 0), len(reference) - 1)]


def _area(scores, labels, tie=0.5):
    """Pair by pair."""
    right.area_under_roc(scores, labels)
    one, other = scores[labels == 1][:, None], scores[labels == 0]
    return ((one > other) + tie * (one == other)).to(scores.dtype).mean()


def _precisions(scores, labels, stable_first=None):
    """Precision and recall down the sorted list; stable_first: the label that comes first among equal scores."""
    right.average_precision(scores, labels)
    order = torch.arange(len(scores))
    if stable_first is not None:
        order = (labels == stable_first).int().sort(descending=True, stable=True).indices
    order = order[scores[order].sort(descending=True, stable=True).indices]
    found = (labels[order] == 1).to(scores.dtype).cumsum(0)
    return found / torch.arange(1, len(scores) + 1), found / found[-1], labels[order] == 1


def _average_down_the_list(scores, labels, stable_first=None):
    precision, _, anomalous = _precisions(scores, labels, stable_first)
    return precision[anomalous].mean()


def _by_thresholds(scores, labels):
    """(precision, recall) at each distinct score from high to low."""
    right.average_precision(scores, labels)
    for t in scores.unique().flip(0):
        flagged = scores >= t
        found = (labels[flagged] == 1).sum().double()
        yield found / flagged.sum(), found / (labels == 1).sum()


def _trapezoids(scores, labels):
    area, last = 0.0, (torch.tensor(1.0), torch.tensor(0.0))
    for precision, recall in _by_thresholds(scores, labels):
        area, last = area + (recall - last[1]) * (precision + last[0]) / 2, (precision, recall)
    return area.to(scores.dtype)


def _interpolated(scores, labels):
    points = list(_by_thresholds(scores, labels))
    best = [max(p for p, _ in points[k:]) for k in range(len(points))]
    before = [torch.tensor(0.0), *[r for _, r in points]]
    return sum((r - b) * p for (_, r), b, p in zip(points, before, best, strict=False)).to(scores.dtype)


def _steps(scores, labels):
    """The definition, threshold by threshold."""
    total, before = 0.0, 0.0
    for precision, recall in _by_thresholds(scores, labels):
        total, before = total + (recall - before) * precision, recall
    return total.to(scores.dtype)


def _rate(scores, labels, recall, enough=lambda share, recall: share >= recall, flags=torch.ge):
    right.false_positive_rate_at_recall(scores, labels, recall=recall)
    anomalies, normals = scores[labels == 1], scores[labels == 0]
    reached = [t for t in scores.unique() if enough((anomalies >= t).double().mean().item(), recall)]
    t = max(reached) if reached else torch.tensor(torch.inf, dtype=scores.dtype)
    return flags(normals, t).to(scores.dtype).mean()


MISTAKES = (
    Mistake("reconstruction_log_probability", "sum over the draws", lambda log_likelihood: log_likelihood.sum(1)),
    Mistake("reconstruction_log_probability", "the sign", lambda log_likelihood: -right.reconstruction_log_probability(
        log_likelihood)),
    Mistake("reconstruction_log_probability", "log of the mean", lambda log_likelihood: (
        log_likelihood.logsumexp(1) - math.log(log_likelihood.shape[1]))),
    Mistake("reconstruction_log_probability", "the best draw", lambda log_likelihood: log_likelihood.amax(1)),
    Mistake("reconstruction_log_probability", "mean over the batch", lambda log_likelihood: log_likelihood.mean()),
    Mistake("reconstruction_log_probability", "accepts no draws", lambda log_likelihood: log_likelihood.mean(1),
            only_checks=True),
    Mistake("robust_z_score", "without the constant", lambda scores, reference: right.DEVIATIONS * right.robust_z_score(
        scores, reference)),
    Mistake("robust_z_score", "multiplied by the constant", lambda scores, reference: right.DEVIATIONS**2 * right.robust_z_score(
        scores, reference)),
    Mistake("robust_z_score", "the sign", lambda scores, reference: -right.robust_z_score(scores, reference)),
    Mistake("robust_z_score", "the lower of two medians", _robust),
    Mistake("robust_z_score", "around the mean", lambda scores, reference: _robust(scores, reference, center=torch.mean)),
    Mistake("robust_z_score", "mean deviation", lambda scores, reference: _robust(scores, reference, spread=torch.mean)),
    Mistake("robust_z_score", "by mean and standard deviation", lambda scores, reference: (
        right.robust_z_score(scores, reference) * 0 + (scores - reference.mean()) / reference.std())),
    Mistake("robust_z_score", "the reference held constant", lambda scores, reference: (
        right.robust_z_score(scores, reference.detach()) + 0 * reference.sum())),
    Mistake("robust_z_score", "accepts equal references", lambda scores, reference: (
        scores - right._median(reference)) / (right.DEVIATIONS * right._median((reference - right._median(reference)).abs())),
        only_checks=True),
    Mistake("threshold_at_false_positive_rate", "the j-th largest", lambda reference, *, rate: (
        _threshold(reference, rate, lambda share, count: math.floor(share * count + 1e-9) - 1))),
    Mistake("threshold_at_false_positive_rate", "rounded up", lambda reference, *, rate: (
        _threshold(reference, rate, lambda share, count: math.ceil(share * count - 1e-9)))),
    Mistake("threshold_at_false_positive_rate", "of the low side", lambda reference, *, rate: (
        -right.threshold_at_false_positive_rate(-reference, rate=rate))),
    Mistake("threshold_at_false_positive_rate", "for fresh scores", lambda reference, *, rate: (
        _threshold(reference, rate, lambda share, count: math.floor(share * (count + 1) + 1e-9) - 1))),
    Mistake("threshold_at_false_positive_rate", "a quantile between two", lambda reference, *, rate: (
        right.threshold_at_false_positive_rate(reference, rate=rate) * 0 + torch.quantile(reference, 1 - rate))),
    Mistake("threshold_at_false_positive_rate", "has no gradient", lambda reference, *, rate: (
        right.threshold_at_false_positive_rate(reference, rate=rate).detach() + 0 * reference.nan_to_num(0, 0, 0).sum())),
    Mistake("area_under_roc", "the sign", lambda scores, labels: right.area_under_roc(-scores, labels)),
    Mistake("area_under_roc", "a tie counts nothing", lambda scores, labels: _area(scores, labels, tie=0)),
    Mistake("area_under_roc", "a tie counts one", lambda scores, labels: _area(scores, labels, tie=1)),
    Mistake("area_under_roc", "of all pairs", lambda scores, labels: right.area_under_roc(scores, labels) * (
        (labels == 1).sum() * (labels == 0).sum() * 2 / len(labels) ** 2)),
    Mistake("area_under_roc", "the better of both signs", lambda scores, labels: torch.maximum(
        right.area_under_roc(scores, labels), right.area_under_roc(-scores, labels))),
    Mistake("average_precision", "the sign", lambda scores, labels: right.average_precision(-scores, labels)),
    Mistake("average_precision", "trapezoids", _trapezoids),
    Mistake("average_precision", "the best precision from here on", _interpolated),
    Mistake("average_precision", "anomalies first in a tie", lambda scores, labels: _average_down_the_list(scores, labels, 1)),
    Mistake("average_precision", "normal ones first in a tie", lambda scores, labels: _average_down_the_list(scores, labels, 0)),
    Mistake("average_precision", "ties in the order given", _average_down_the_list),
    Mistake("average_precision", "over all observations", lambda scores, labels: right.average_precision(
        scores, labels) * (labels == 1).to(scores.dtype).mean()),
    Mistake("false_positive_rate_at_recall", "the sign", lambda scores, labels, *, recall=0.95: (
        right.false_positive_rate_at_recall(-scores, labels, recall=recall))),
    Mistake("false_positive_rate_at_recall", "above the threshold only", lambda scores, labels, *, recall=0.95: (
        _rate(scores, labels, recall, flags=torch.gt))),
    Mistake("false_positive_rate_at_recall", "recall must be exceeded", lambda scores, labels, *, recall=0.95: (
        _rate(scores, labels, recall, enough=lambda share, wanted: share > wanted or share == 1))),
    Mistake("false_positive_rate_at_recall", "rounded down", lambda scores, labels, *, recall=0.95: (
        _rate(scores, labels, recall, enough=lambda share, wanted: share + 1 / int((labels == 1).sum()) > wanted))),
    Mistake("false_positive_rate_at_recall", "normal ones that are not flagged", lambda scores, labels, *, recall=0.95: (
        1 - right.false_positive_rate_at_recall(scores, labels, recall=recall))),
    Mistake("false_positive_rate_at_recall", "another default", lambda scores, labels, *, recall=0.5: (
        right.false_positive_rate_at_recall(scores, labels, recall=recall))),
    *(
        Mistake(function, "accepts NaN", lambda scores, labels, function=function, **recall: getattr(right, function)(
            scores.nan_to_num(0, torch.inf, -torch.inf), labels, **recall), only_checks=True)
        for function in ("area_under_roc", "average_precision", "false_positive_rate_at_recall")
    ),
)  # fmt: skip

EQUIVALENT = (
    Mistake("area_under_roc", "pair by pair", _area),
    Mistake("average_precision", "threshold by threshold", _steps),
    Mistake("false_positive_rate_at_recall", "threshold by threshold", lambda scores, labels, *, recall=0.95: (
        _rate(scores, labels, recall))),
    Mistake("robust_z_score", "by torch.quantile", lambda scores, reference: _robust(
        scores, reference, center=lambda r: torch.quantile(r, 0.5), spread=lambda r: torch.quantile(r, 0.5))),
    Mistake("threshold_at_false_positive_rate", "floor of the product", lambda reference, *, rate: (
        _threshold(reference, rate, lambda share, count: math.floor(share * count))), core_alone=True),
)  # fmt: skip
