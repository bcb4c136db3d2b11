"""Wrong forms of human evaluation that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn.functional import logsigmoid, softplus

from practice_torch.evaluation import human_evaluation as right
from tests.support.mistakes import Mistake


def _opinion(ratings, z, correction=1, power=0.5, scale=True):
    right.mean_opinion_score(ratings, z=z)  # its checks
    ratings = right._as_float(ratings)
    spread = ratings.var(correction=correction) ** power
    return ratings.mean(), z * spread / (len(ratings) ** 0.5 if scale else 1)


def _from_squares(ratings, *, z=right.Z_95):
    """The mean of squares less the square of the mean, which cancel."""
    right.mean_opinion_score(ratings, z=z)  # its checks
    ratings = right._as_float(ratings)
    variance = (ratings.square().mean() - ratings.mean().square()) * len(ratings) / (len(ratings) - 1)
    return ratings.mean(), z * (variance / len(ratings)).clamp(min=0).sqrt()


def _root_of_zero(ratings, *, z=right.Z_95):
    mean, _ = right.mean_opinion_score(ratings, z=z)  # and its checks
    return mean, z * ((right._as_float(ratings) - mean).square().sum() / (len(ratings) - 1) / len(ratings)).sqrt()


def _sums_of_bytes(ratings, *, z=right.Z_95):
    mean, half = right.mean_opinion_score(ratings, z=z)
    return ratings.sum(dtype=ratings.dtype) / len(ratings) if not ratings.is_floating_point() else mean, half


def _ends(successes, trials, *, z=right.Z_95, inside=1.0):
    """The quadratic formula; `inside` times the terms in z^2."""
    right.wilson_interval(successes, trials, z=z)  # its checks
    k, n = (right._as_float(counts.long()) for counts in (successes, trials))
    half = z * (k * (n - k) / n + inside * z**2 / 4).sqrt()
    middle, total = k + inside * z**2 / 2, n + inside * z**2
    return (middle - half) / total, (middle + half) / total


def _without_checks(successes, trials, *, z=right.Z_95):
    return right.wilson_interval(successes.long().minimum(trials.long()).clamp(min=0), trials, z=z)


def _failures_in_their_own_width(successes, trials, *, z=right.Z_95):
    right.wilson_interval(successes, trials, z=z)  # its checks
    k, n = right._as_float(successes), right._as_float(trials)
    half = z * (right._as_float(successes * (trials - successes)) / n + z**2 / 4).sqrt()
    return (k + z**2 / 2 - half) / (n + z**2), (k + z**2 / 2 + half) / (n + z**2)


def _difference(winners, losers, scores):
    right.bradley_terry_negative_log_likelihood(winners, losers, scores)  # its checks
    return scores[winners.long()] - scores[losers.long()]


def _may_meet_itself(winners, losers, scores):
    winners, losers = winners.long(), losers.long()
    other = losers.where(losers != winners, (winners + 1) % len(scores))
    found = right.bradley_terry_negative_log_likelihood(winners, other, scores)
    return found.where(losers != winners, 0.6931471805599453)


def _kappa(counts, chance=None, pairs=None):
    right.fleiss_kappa(counts)  # its checks
    counts = right._as_float(counts.long())
    n = counts[0].sum()
    agreement = (counts * (counts - 1)).sum() / (n * (n - 1)) / len(counts) if pairs is None else pairs(counts, n)
    by_chance = (counts.mean(0) / n).square().sum() if chance is None else chance(counts, n)
    return (agreement - by_chance) / (1 - by_chance)


def _unequal_raters(counts):
    first = counts[:1].long()
    same = counts.long().sum(1) == first.sum()
    return right.fleiss_kappa(counts.long() if bool(same.all()) else first.expand(2, -1).contiguous())


def _products_of_bytes(counts):
    right.fleiss_kappa(counts)  # its checks
    n = counts[0].sum()
    agreement = right._as_float((counts * (counts - 1)).sum()) / (n * (n - 1)) / len(counts)
    by_chance = (right._as_float(counts.sum(0)) / (n * len(counts))).square().sum()
    return (agreement - by_chance) / (1 - by_chance)


MISTAKES = (
    Mistake("mean_opinion_score", "population standard deviation", lambda ratings, *, z=right.Z_95: (
        _opinion(ratings, z, correction=0))),
    Mistake("mean_opinion_score", "of one rating", lambda ratings, *, z=right.Z_95: _opinion(ratings, z, scale=False)),
    Mistake("mean_opinion_score", "variance for its root", lambda ratings, *, z=right.Z_95: _opinion(ratings, z, power=1.0)),
    Mistake("mean_opinion_score", "always 95%", lambda ratings, *, z=right.Z_95: right.mean_opinion_score(ratings) if z else z),
    Mistake("mean_opinion_score", "squares less a square, which cancel", _from_squares),
    Mistake("mean_opinion_score", "the slope at equal ratings is NaN", _root_of_zero),
    Mistake("mean_opinion_score", "summed in bytes", _sums_of_bytes, narrow=True),
    Mistake("wilson_interval", "Wald's", lambda successes, trials, *, z=right.Z_95: _ends(
        successes, trials, z=z, inside=0.0)),
    Mistake("wilson_interval", "the terms in z halved", lambda successes, trials, *, z=right.Z_95: _ends(
        successes, trials, z=z, inside=0.5)),
    Mistake("wilson_interval", "ends exchanged", lambda successes, trials, *, z=right.Z_95: (
        right.wilson_interval(successes, trials, z=z)[::-1])),
    Mistake("wilson_interval", "always 95%", lambda successes, trials, *, z=right.Z_95: (
        right.wilson_interval(successes, trials) if z > 0 else right.wilson_interval(successes, trials, z=z))),
    Mistake("wilson_interval", "a small lower end as a difference", _ends),
    Mistake("wilson_interval", "accepts more successes than trials", _without_checks, only_checks=True),
    Mistake("wilson_interval", "products of bytes", _failures_in_their_own_width, narrow=True),
    Mistake("bradley_terry_negative_log_likelihood", "winner and loser swapped", lambda winners, losers, scores: (
        right.bradley_terry_negative_log_likelihood(losers, winners, scores))),
    Mistake("bradley_terry_negative_log_likelihood", "the log-likelihood", lambda winners, losers, scores: (
        -right.bradley_terry_negative_log_likelihood(winners, losers, scores))),
    Mistake("bradley_terry_negative_log_likelihood", "the mean", lambda winners, losers, scores: (
        right.bradley_terry_negative_log_likelihood(winners, losers, scores).mean().expand(len(winners)))),
    Mistake("bradley_terry_negative_log_likelihood", "the logarithm of a probability that underflowed",
            lambda winners, losers, scores: -_difference(winners, losers, scores).sigmoid().log()),
    Mistake("bradley_terry_negative_log_likelihood", "accepts an item against itself", _may_meet_itself, only_checks=True),
    Mistake("bradley_terry_negative_log_likelihood", "narrow indices select as a mask", lambda winners, losers, scores: (
        right.bradley_terry_negative_log_likelihood(winners, losers, scores) if winners.dtype != torch.uint8
        else softplus(scores[losers.bool().long()] - scores[winners.bool().long()])), narrow=True),
    Mistake("fleiss_kappa", "chance from the shares of each item", lambda counts: _kappa(
        counts, chance=lambda c, n: (c / n).square().sum(1).mean())),
    Mistake("fleiss_kappa", "uniform chance", lambda counts: _kappa(counts, chance=lambda c, n: 1 / c.shape[1])),
    Mistake("fleiss_kappa", "pairs with themselves", lambda counts: _kappa(
        counts, pairs=lambda c, n: (c / n).square().sum(1).mean())),
    Mistake("fleiss_kappa", "never below 0", lambda counts: right.fleiss_kappa(counts).clamp(min=0)),
    Mistake("fleiss_kappa", "accepts unequal numbers of raters", _unequal_raters, only_checks=True),
    Mistake("fleiss_kappa", "products of bytes", _products_of_bytes, narrow=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "bradley_terry_negative_log_likelihood",
        "log-sigmoid of the difference",
        lambda winners, losers, scores: -logsigmoid(_difference(winners, losers, scores)),
    ),
)
