"""Distances to a training set and tests for copies compared with SciPy and scikit-learn, and results of these tests."""

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial import KDTree
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from practice_torch.evaluation import _points
from practice_torch.evaluation import memorization as practice

rng = np.random.default_rng(0)
TRAINING, TEST, GENERATED = (torch.tensor(rng.normal(size=(size, 3))) for size in (40, 30, 50))


def test_distances_are_those_of_a_tree():
    """scipy.spatial.KDTree; more queries than are compared at once."""
    queries = torch.tensor(rng.normal(size=(2100, 3)))
    distances, _ = KDTree(TRAINING).query(queries, k=2)
    np.testing.assert_allclose(practice.nearest_distance(queries, TRAINING), distances[:, 0], rtol=1e-13)
    np.testing.assert_allclose(practice.nearest_distance_ratio(queries, TRAINING), distances[:, 0] / distances[:, 1], rtol=1e-13)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_the_score_is_mann_and_whitneys(scale):
    """scipy.stats.mannwhitneyu: from its p-value, which is of two sides, |z|; from its U the sign."""
    near = [practice.nearest_distance(points, TRAINING) for points in (scale * GENERATED, TEST)]
    u, p = scipy.stats.mannwhitneyu(*near, method="asymptotic", use_continuity=False)
    wanted = np.sign(u - len(GENERATED) * len(TEST) / 2) * scipy.stats.norm.isf(p / 2)
    np.testing.assert_allclose(practice.data_copying_z_score(scale * GENERATED, TRAINING, TEST), wanted, rtol=1e-9)


def test_accuracies_are_scikit_learns():
    """KNeighborsClassifier with one neighbor, each point left out in turn."""
    generated = 0.5 * GENERATED[:30] + 0.5
    points, kinds = np.concatenate([TEST, generated]), np.repeat([0, 1], 30)
    right = cross_val_predict(KNeighborsClassifier(1, algorithm="brute"), points, kinds, cv=LeaveOneOut()) == kinds
    found = practice.one_nearest_neighbor_accuracy(TEST, generated)
    np.testing.assert_allclose(found, [right[:30].mean(), right[30:].mean()], rtol=1e-15)


def test_authenticity_by_a_tree():
    tree = KDTree(TRAINING)
    distances, nearest = tree.query(GENERATED)
    gaps = tree.query(TRAINING, k=2)[0][:, 1]
    np.testing.assert_array_equal(practice.authenticity(GENERATED, TRAINING), distances > gaps[nearest])


def test_copies_are_found_and_fresh_points_are_not_blamed():
    """The training set replayed, with a little noise, and other draws of its law."""
    fresh = torch.tensor(rng.normal(size=(50, 3)))
    noisy = TRAINING + 0.05 * torch.tensor(rng.normal(size=(40, 3)))
    scores = [practice.data_copying_z_score(points, TRAINING, TEST).item() for points in (TRAINING, noisy, fresh, 3 * fresh)]
    assert scores[0] == pytest.approx(-((3 * 40 * 30 / 71) ** 0.5)) == pytest.approx(scores[1])
    assert abs(scores[2]) < 3
    assert scores[3] > 5
    ratios = [practice.nearest_distance_ratio(points, TRAINING).mean().item() for points in (noisy, fresh)]
    assert ratios[0] < 0.2 < 0.6 < ratios[1]
    assert practice.authenticity(noisy, TRAINING).mean() < 0.05
    # not 1/2: in three dimensions a fresh point is authentic with the probability 11/27 in the limit
    assert 0.25 < practice.authenticity(fresh, TRAINING).mean() < 0.6


def test_more_pairs_are_counted_than_float32_counts():
    """Of 9001 * 7001 pairs, half and 3500 more have the larger distance at the generated point."""
    generated = torch.full((9001, 1), 0.5)
    generated[::2] = 2.0
    found = practice.data_copying_z_score(generated, torch.zeros(1, 1), torch.ones(7001, 1))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(7001 * (3 / (9001 * 7001 * 16003)) ** 0.5, rel=2e-7)


def test_many_points_need_no_matrix_of_all_distances(monkeypatch):
    """No more than 1024 rows at once."""
    monkeypatch.setattr(_points, "BLOCK", 3 * 1024)  # distances of three training points
    sizes, cdist = [], torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda x, y, **more: sizes.append(len(x)) or cdist(x, y, **more))
    practice.data_copying_z_score(torch.zeros(2500, 2), torch.ones(3, 2), torch.zeros(1100, 2))
    assert sizes == [1024, 1024, 452, 1024, 76]
