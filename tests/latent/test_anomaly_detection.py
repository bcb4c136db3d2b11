"""What SciPy and scikit-learn say of anomaly scores and rankings, and what a threshold keeps of its promise."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch

from practice_torch.latent import anomaly_detection as practice

rng = np.random.default_rng(0)
LABELS = rng.integers(0, 2, 300)
SMOOTH = LABELS + rng.normal(size=300)
TIED = np.round(SMOOTH)  # about eight values
BOTH = pytest.mark.parametrize("scores", [SMOOTH, TIED], ids=["no ties", "ties"])


@BOTH
def test_rankings_are_scikit_learns(scores):
    """sklearn.metrics.roc_auc_score and average_precision_score, and the U of scipy.stats.mannwhitneyu."""
    pair = torch.tensor(scores), torch.tensor(LABELS)
    area, average = practice.area_under_roc(*pair), practice.average_precision(*pair)
    np.testing.assert_allclose(area, sklearn.metrics.roc_auc_score(LABELS, scores), rtol=1e-13)
    u, _ = scipy.stats.mannwhitneyu(scores[LABELS == 1], scores[LABELS == 0])
    np.testing.assert_allclose(area, u / (LABELS.sum() * (1 - LABELS).sum()), rtol=1e-13)
    np.testing.assert_allclose(average, sklearn.metrics.average_precision_score(LABELS, scores), rtol=1e-13)


@BOTH
@pytest.mark.parametrize("recall", [0.2, 0.5, 0.95, 1.0])
def test_the_rate_at_a_recall_is_on_the_curve_of_scikit_learn(scores, recall):
    """The first point of sklearn.metrics.roc_curve whose recall is enough."""
    rates, recalls, _ = sklearn.metrics.roc_curve(LABELS, scores, drop_intermediate=False)
    found = practice.false_positive_rate_at_recall(torch.tensor(scores), torch.tensor(LABELS), recall=recall)
    np.testing.assert_allclose(found, rates[np.argmax(recalls >= recall)], rtol=1e-13)


@pytest.mark.parametrize("size", [30, 31])
def test_robust_scores_are_scipys(size):
    """scipy.stats.median_abs_deviation with the scale of a Gaussian."""
    wanted = (TIED - np.median(SMOOTH[:size])) / scipy.stats.median_abs_deviation(SMOOTH[:size], scale="normal")
    np.testing.assert_allclose(practice.robust_z_score(*map(torch.tensor, (TIED, SMOOTH[:size]))), wanted, rtol=1e-13)


def test_the_threshold_keeps_the_rate_on_the_reference_and_nearly_on_fresh_scores():
    """Of 20 reference scores two are above at the rate 0.1, of fresh ones 3/21: five standard errors of 4000 references."""
    draws = torch.tensor(rng.normal(size=(4000, 21)))
    thresholds = torch.vmap(lambda r: practice.threshold_at_false_positive_rate(r, rate=0.1))(draws[:, :20])
    assert torch.all((draws[:, :20] > thresholds[:, None]).sum(1) == 2)
    fresh = (draws[:, 20] > thresholds).double().mean().item()
    assert abs(fresh - 3 / 21) < 5 * (3 / 21 * 18 / 21 / 4000) ** 0.5


def test_decimal_rates_are_not_rounded_below():
    """Every rate of k/100, as it is written, flags k of 100 and no more: 0.29 * 100 is below 29 in floating point."""
    reference = torch.arange(100.0)
    thresholds = [practice.threshold_at_false_positive_rate(reference, rate=float(f"0.{k:02}")) for k in range(100)]
    assert [(reference > t).sum().item() for t in thresholds] == list(range(100))


def test_more_pairs_are_counted_than_float32_counts():
    """Of 9001 * 7001 pairs, which are more than 2^24, the anomaly wins 4501 * 7001."""
    scores = torch.cat([torch.full((9001,), 0.5), torch.ones(7001)])
    scores[:9001:2] = 2.0
    found = practice.area_under_roc(scores, (torch.arange(16002) < 9001).int())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(4501 / 9001, rel=1e-7)


def test_rankings_run_under_vmap():
    """Each row of scores is ranked by itself."""
    scores = torch.tensor(rng.normal(size=(5, 300)).round(1))
    labels = torch.tensor(LABELS)
    for function in (practice.area_under_roc, practice.average_precision, practice.false_positive_rate_at_recall):
        wanted = torch.stack([function(row, labels) for row in scores])
        torch.testing.assert_close(torch.vmap(function, in_dims=(0, None))(scores, labels), wanted)
