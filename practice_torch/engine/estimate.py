"""A number that was estimated from samples, and its interval."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

_RESAMPLED = 100  # times, for an interval
_NORMAL_95 = 1.96


class Estimate(NamedTuple):
    """A number, and an interval that holds its expectation with a probability of about 95%."""

    value: float
    low: float
    high: float


def interval(statistic: Callable[..., Tensor], *samples: Tensor, generator: torch.Generator) -> Estimate:
    """An Estimate of a statistic of samples, by the bootstrap: each sample's rows are drawn again, with replacement.

    A statistic of resampled rows is off from that of the rows by about as much as that is from the truth. The interval therefore
    is about the value less this bias: normal, with the standard deviation of the resampled values.
    """
    value = statistic(*samples)
    drawn = torch.stack([
        statistic(*(part[torch.randint(len(part), (len(part),), generator=generator)] for part in samples))
        for _ in range(_RESAMPLED)
    ]).double()  # fmt: skip
    center, half = 2 * value.item() - drawn.mean().item(), _NORMAL_95 * drawn.std().item()
    return Estimate(value.item(), center - half, center + half)
