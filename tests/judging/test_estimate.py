"""Intervals of estimates: they hold the expectation of what is printed, on known laws, and what is printed."""

import math

import pytest
import torch
from scipy.stats import t as student

from practice_torch.commands.project import _spoken as of_a_project
from practice_torch.commands.trained_models import _spoken as of_samples
from practice_torch.engine.estimate import CORRELATION, FRACTION, Estimate, interval, mean_interval
from practice_torch.experiments.judging.feature_metrics import distance_precision_recall


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussians(seed, shift=0.0):
    """80 points about the shift, and 100 about 0."""
    generator = seeded(seed)
    of, others = (torch.randn(count, 8, generator=generator, dtype=torch.float64) for count in (80, 100))
    return shift + of, others


def coverage(estimates):
    """The share of intervals that hold the mean of all values."""
    expectation = sum(one.value for one in estimates) / len(estimates)
    return sum(one.low <= expectation <= one.high for one in estimates) / len(estimates)


def test_an_interval_of_a_mean_is_student_s():
    rows = torch.randn(12, generator=seeded(), dtype=torch.float64) + 2
    found = mean_interval(rows)
    assert found == pytest.approx((rows.mean(), *student.interval(0.95, 11, rows.mean(), rows.std() / math.sqrt(12))))


@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["one law", "two laws"])
def test_intervals_of_distance_precision_and_recall_hold_what_these_are_on_average(shift):
    """For one distribution the distance is all bias: for 200 points, the corrected bootstrap covered the mean in 26% of cases.

    Precision and recall account for both samples being random: at fixed balls, intervals held the average in 76% to 91% of cases.
    """
    found = [distance_precision_recall(*gaussians(seed, shift), seeded(seed)) for seed in range(40)]
    for name, most in (("frechet_distance", math.inf), ("precision", 1), ("recall", 1)):
        estimates = [one[name] for one in found]
        assert all(0 <= one.low <= one.value <= one.high <= most for one in estimates)
        assert coverage(estimates) >= 0.9, name
        width = sum(one.high - one.low for one in estimates) / len(estimates)
        assert width < 2 * 3.92 * torch.tensor([one.value for one in estimates]).std(), name


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.98])
def test_intervals_of_a_fraction_stay_in_range_and_hold_its_probability(probability):
    generator = seeded(3)
    found = [mean_interval((torch.rand(100, generator=generator) < probability).double(), FRACTION) for _ in range(400)]
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)
    assert sum(one.low <= probability <= one.high for one in found) / 400 >= 0.93


def test_a_hundred_hits_of_a_hundred_are_no_certainty():
    """A probability of 0.964 gives them in one of 40 cases; so does 0.036 a hundred misses."""
    sure, never = (mean_interval(torch.full((100,), hit), FRACTION) for hit in (1.0, 0.0))
    assert sure == pytest.approx((1.0, 0.025**0.01, 1.0)) and never == pytest.approx((0.0, 0.0, 1 - 0.025**0.01))


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.99])
def test_intervals_of_a_correlation_stay_in_range_and_hold_it(correlation):
    def drawn(generator):
        one, other = torch.randn(2, 60, generator=generator, dtype=torch.float64)
        return torch.stack([one, correlation * one + math.sqrt(1 - correlation**2) * other], 1)

    found = [
        interval(lambda rows: torch.corrcoef(rows.T)[0, 1], drawn(seeded(k)), generator=seeded(k), within=CORRELATION)
        for k in range(200)
    ]
    assert all(-1 <= one.low <= one.value <= one.high <= 1 for one in found)
    assert sum(one.low <= correlation <= one.high for one in found) / 200 >= 0.9


def test_a_single_example_gives_only_the_range():
    one = torch.ones(1)
    found = [
        mean_interval(one, FRACTION),
        interval(lambda a, b: (a > b).double().mean(), one, torch.zeros(9), generator=seeded(), within=FRACTION),
    ]
    assert found == [(1.0, 0.0, 1.0)] * 2


@pytest.mark.parametrize("spoken", [of_samples, of_a_project], ids=["evaluate --samples", "project"])
@pytest.mark.parametrize("value", [0.99849, 0.065731, 12.3456, 1234.0])
def test_the_interval_is_printed_in_as_many_digits_as_the_value(spoken, value):
    """With fewer, 0.998 was followed by "1 to 1"."""
    estimate = Estimate(value, value * (1 - 1e-4), value * (1 + 1e-4))
    number, ends = spoken(estimate._asdict()).replace(",", "").split("\n")
    low, high = ends.removeprefix("[dim]").removesuffix("[/]").split(" to ")
    assert float(low) <= float(number) <= float(high)
