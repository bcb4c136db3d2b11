"""Anomaly scores and rankings compared with SciPy and scikit-learn, and error rates of thresholds."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.latent import anomaly_detection
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
    """The first point of sklearn.metrics.roc_curve with sufficient recall."""
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


# ---------------------------------------------------------------------------------------------------- the experiment


def test_every_partial_moves_by_the_same_frequency():
    """100 and 200 Hz become 130 and 230 Hz, of the same heights; the sound that went in is left as it was."""
    seconds = torch.arange(1000, dtype=torch.float64) / 1000
    sound = torch.sin(2 * math.pi * 100 * seconds) + 0.5 * torch.cos(2 * math.pi * 200 * seconds)
    kept = sound.clone()
    heights = torch.fft.rfft(anomaly_detection.shifted(sound[None], 30 / 1000))[0].abs() / 500
    found = heights.nonzero()[heights[heights.nonzero()[:, 0]][:, None] > 1e-6]
    assert dict(zip(found.tolist(), heights[found].tolist(), strict=True)) == pytest.approx({130: 1.0, 230: 0.5})
    assert torch.equal(sound, kept)


def test_a_smoothed_example_is_the_mean_of_its_neighbors():
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [100.0]])
    assert anomaly_detection.smoothed(x).flatten().tolist() == pytest.approx([2, 2, 2, 2, 2, 22])
    assert torch.equal(anomaly_detection.smoothed(x[:2]), torch.full((2, 1), 0.5))


def test_the_class_that_is_left_out_teaches_nothing():
    """Other pixels of its images change neither the loss nor the number that it is a mean over; of the others they do."""
    recipe = dataclasses.replace(anomaly_detection.RECIPES["digits"], hidden_dims=(5,), latent_dim=2)
    train, held_out = load_data(recipe)
    experiment = anomaly_detection.build(recipe, train)
    batch = held_out.batch(torch.arange(40))
    nines = batch["label"] == 9
    assert 0 < nines.sum() < 40 and experiment.count(batch, "train") == 40 - nines.sum()

    def loss(changed):
        experiment.generator = torch.Generator().manual_seed(0)
        image = torch.where(changed[:, None, None, None], 1 - batch["image"], batch["image"])
        return experiment({"image": image, "label": batch["label"]}, "train")[0].item()

    assert loss(nines) == loss(torch.zeros_like(nines)) != loss(~nines)
    experiment.eval()
    experiment.generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        found = experiment.ranked(held_out)
    sizes = {kind: len(scores["typicality"]) for kind, scores in found.items()}
    labels = held_out.batch()["label"]
    normal = int((labels != 9).sum())
    assert sizes == {"normal": normal // 2, "left_out": len(labels) - normal, "noise": normal, "simple": normal}


@pytest.mark.parametrize(("classes", "found"), [(None, "no labels"), (["a", "b"], r"the classes 0..1")])
def test_a_class_that_is_not_there_is_refused(classes, found):
    data = SimpleNamespace(description={"name": "mine", "classes": classes, "shape": [1, 8, 8]})
    with pytest.raises(DataError, match=f"anomaly is 9; mine has {found}"):
        anomaly_detection.build(anomaly_detection.RECIPES["digits"], data)
