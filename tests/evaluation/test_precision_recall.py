"""Balls around points compared with scikit-learn and SciPy, and the four shares of samples with known faults."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from practice_torch.evaluation import _points
from practice_torch.evaluation import precision_recall as practice

rng = np.random.default_rng(0)
REAL, GENERATED = torch.tensor(rng.normal(size=(60, 3))), torch.tensor(0.3 + 0.8 * rng.normal(size=(40, 3)))


@pytest.mark.parametrize("neighbors", [1, 3, 59])
def test_radii_are_scikit_learns(neighbors):
    """NearestNeighbors without queries leaves out each point itself."""
    distances, _ = NearestNeighbors(n_neighbors=neighbors).fit(REAL).kneighbors()
    np.testing.assert_allclose(practice.nearest_neighbor_radii(REAL, neighbors=neighbors), distances[:, -1], rtol=1e-12)


@pytest.mark.parametrize("neighbors", [1, 4])
def test_the_four_shares_by_scipys_distances(neighbors):
    across = cdist(REAL, GENERATED)
    of_real, of_generated = (np.sort(cdist(x, x), axis=1)[:, neighbors] for x in (REAL, GENERATED))
    in_real, in_generated = across <= of_real[:, None], across <= of_generated
    found = practice.precision_and_recall(REAL, GENERATED, neighbors=neighbors)
    np.testing.assert_allclose(found, [in_real.any(0).mean(), in_generated.any(1).mean()], rtol=1e-14)
    found = practice.density_and_coverage(REAL, GENERATED, neighbors=neighbors)
    np.testing.assert_allclose(found, [in_real.sum() / (neighbors * 40), in_real.any(1).mean()], rtol=1e-14)


def test_more_points_than_are_compared_at_once():
    """Those of the last part count, too: 600 of 1100 are inside, and of two real balls one."""
    real = torch.tensor([[0.0], [1.0], [50.0], [52.0]])
    generated = torch.cat([torch.full((500, 1), 20.0), torch.full((600, 1), 0.5)])
    precision, recall = practice.precision_and_recall(real, generated, neighbors=1)
    assert (precision.item(), recall.item()) == (pytest.approx(6 / 11), 0.0)
    assert practice.precision_and_recall(generated, real, neighbors=1)[1].item() == pytest.approx(6 / 11)
    density, coverage = practice.density_and_coverage(real, generated, neighbors=1)
    assert (density.item(), coverage.item()) == (pytest.approx(12 / 11), 0.5)


@pytest.mark.parametrize("dimensions", [1, 8], ids=["by differences", "by products"])
def test_no_matrix_of_all_distances_is_stored(monkeypatch, dimensions):
    largest, block = [], 2**16
    for name in ("cdist", "addmm"):
        kept = getattr(torch, name)
        monkeypatch.setattr(
            torch, name, lambda *given, kept=kept, **more: largest.append((out := kept(*given, **more)).numel()) or out
        )
    monkeypatch.setattr(_points, "BLOCK", block)
    real, generated = (torch.tensor(rng.random((size, dimensions))) for size in (1100, 1030))
    practice.precision_and_recall(real, generated, neighbors=1)
    practice.density_and_coverage(real, generated, neighbors=1)
    assert 0.9 * block < max(largest) <= max(block, 64 * 1100)


def test_faults_are_distinguished():
    """Four modes: all, one dropped, a quarter of junk; 200 points of each set."""
    centers = 20 * torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    noise = torch.tensor(rng.normal(size=(2, 200, 2)))
    modes = torch.arange(200) % 4
    real, good = centers[modes] + noise[0], centers[modes] + noise[1]
    dropped = torch.where((modes == 3)[:, None], centers[0] + noise[1], good)
    junk = torch.where((modes == 3)[:, None], good - 100, good)
    (good, dropped, junk) = (
        torch.stack([*practice.precision_and_recall(real, x, neighbors=3), *practice.density_and_coverage(real, x, neighbors=3)])
        for x in (good, dropped, junk)
    )
    assert good.min() > 0.8
    assert dropped[0] > 0.8 and dropped[1] < 0.76 and dropped[3] < 0.76
    assert junk[0] < 0.76 and junk[2] < 0.85 * good[2]
    assert junk[1] > 0.7 * good[1]
