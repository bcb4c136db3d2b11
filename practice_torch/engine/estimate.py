"""A number that was estimated from samples, and its interval."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy.special import expit, logit, stdtrit
from torch import Tensor

_SPLITS = 20  # random ones, of every sample into halves
_TAIL = 0.025  # on either side of an interval of 95%

Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)
POSITIVE: Range = (0.0, math.inf)
FRACTION: Range = (0.0, 1.0)
CORRELATION: Range = (-1.0, 1.0)


class Estimate(NamedTuple):
    """A number, and an interval that holds its expectation with a probability of about 95%.

    The expectation is that of the number as it is computed, from as many samples. A distance of few samples is larger on average
    than that of many: its interval is about this average, and not about the distance of infinitely many. Of a single example
    nothing is known but the range.
    """

    value: float
    low: float
    high: float


def mean_interval(values: Tensor, within: Range = ANY) -> Estimate:
    """An Estimate of the mean of independent values, [N], by Student's t. within: the range of a value."""
    if len(values) < 2:
        return Estimate(values.item(), *within)
    deviation, mean = torch.std_mean(values.double())
    return _around(mean.item(), deviation.item() / math.sqrt(len(values)), len(values), len(values) - 1, within)


def interval(statistic: Callable[..., Tensor], *samples: Tensor, generator: torch.Generator, within: Range = ANY) -> Estimate:
    """An Estimate of a statistic of samples of independent rows, by half-samples: the jackknife that deletes half of the rows.

    The statistic of a random half of the rows and that of the other half have the same bias, and half of their difference has
    about the standard deviation of the statistic of all rows. (The bootstrap is wrong here: rows that are drawn twice make a
    distance larger and the balls around them smaller.) within: the range of the statistic.  Source: Shao & Wu 1989.
    """
    value, count = statistic(*samples).item(), min(map(len, samples))
    if count < 2:
        return Estimate(value, *within)
    squares = []
    for _ in range(_SPLITS):
        halves = [_halves(rows, generator) for rows in samples]
        one, other = (statistic(*parts).item() for parts in zip(*halves, strict=True))
        squares.append((one - other) ** 2 / 4)
    return _around(value, math.sqrt(sum(squares) / _SPLITS), count, min(count, _SPLITS) - 1, within)


def _halves(rows, generator):
    """Two random halves of the rows; of an odd number one row is in neither."""
    one, other, *_ = rows[torch.randperm(len(rows), generator=generator)].split(len(rows) // 2)
    return one, other


def _around(value, deviation, count, freedom, within):
    """The Estimate of a value that `count` rows gave, with this standard deviation and its degrees of freedom."""
    low, high = within
    value = min(max(value, low), high)  # which rounding can leave
    half = -float(stdtrit(freedom, _TAIL)) * deviation
    if math.isinf(low) or math.isinf(high):
        return Estimate(value, max(low, value - half), min(high, value + half))
    share = (value - low) / (high - low)
    if 0 < share < 1:  # on the scale of log-odds, which has no ends
        reach = half / (high - low) / (share * (1 - share))
        ends = expit(logit(share) - reach), expit(logit(share) + reach)
    else:  # the smallest share of which `count` hits, or misses, in a row have this probability
        certain = _TAIL ** (1 / count)
        ends = (certain, 1.0) if share else (0.0, 1 - certain)
    first, last = (low + (high - low) * float(end) for end in ends)
    return Estimate(value, min(first, value), max(last, value))  # the value too, where it has no deviation and rounding has one
