"""Frechet distances compared with SciPy and torchmetrics, and distances between samples of one distribution."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
import torch

from practice_torch.evaluation import frechet_distance as practice

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(loc=0.3, size=(50, 5))
PAIR = torch.tensor(X), torch.tensor(Y)


def test_statistics_are_numpys():
    for x in (X, Y):
        mean, covariance = practice.gaussian_statistics(torch.tensor(x))
        np.testing.assert_allclose(mean, x.mean(0), rtol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=1e-12, atol=1e-14)


def test_the_distance_is_that_of_a_matrix_root():
    """scipy.linalg.sqrtm of the product of the covariances, which is not symmetric."""
    a, b = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    wanted = np.square(X.mean(0) - Y.mean(0)).sum() + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    np.testing.assert_allclose(practice.frechet_feature_distance(*PAIR), wanted, rtol=1e-10)


def test_features_in_many_blocks_have_the_same_statistics_and_distance(monkeypatch):
    """Blocks of rows that do not divide their number, and what the slopes go through."""
    x, y = (part.clone().requires_grad_() for part in PAIR)
    wanted = (*practice.gaussian_statistics(x), practice.frechet_feature_distance(x, y))
    slopes = torch.autograd.grad(wanted[-1], (x, y))
    monkeypatch.setattr(practice, "_ROWS", 17)
    found = (*practice.gaussian_statistics(x), practice.frechet_feature_distance(x, y))
    for got, want in zip((*found, *torch.autograd.grad(found[-1], (x, y))), (*wanted, *slopes), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-13)


@pytest.mark.peers("torchmetrics")
def test_the_distance_is_torchmetrics():
    import torchmetrics.image.fid as metric

    class Features(torch.nn.Module):
        num_features = 5

        def forward(self, x):
            return x

    distance = metric.FrechetInceptionDistance(feature=Features(), normalize=True, input_img_size=(5,))
    distance.set_dtype(torch.float64)
    distance.update(PAIR[0], real=True)
    distance.update(PAIR[1], real=False)
    torch.testing.assert_close(practice.frechet_feature_distance(*PAIR), distance.compute().double(), rtol=1e-6, atol=0)


def test_one_dimension_is_the_distance_of_quantiles():
    """The integral of the squared difference of quantile functions, at 4 * 10^5 of them."""
    share = (np.arange(400_000) + 0.5) / 400_000
    quantiles = [scipy.stats.norm.ppf(share, *law) for law in ((0.3, 1.5), (-1.0, 0.4))]
    found = practice.frechet_distance(*(torch.tensor(part).double() for part in ([0.3], [[2.25]], [-1.0], [[0.16]])))
    np.testing.assert_allclose(found, np.square(quantiles[0] - quantiles[1]).mean(), rtol=1e-4)


def test_it_is_below_the_transport_of_the_samples():
    """With covariances divided by N the distance is at most the cheapest assignment's mean cost."""
    x, y = X[:50], Y
    costs = np.square(x[:, None] - y).sum(2)
    cheapest = costs[scipy.optimize.linear_sum_assignment(costs)].mean()
    moments = [torch.tensor(part) for z in (x, y) for part in (z.mean(0), np.cov(z, rowvar=False, bias=True))]
    assert 0.1 * cheapest < practice.frechet_distance(*moments) < cheapest


def test_the_intercept_is_scipys():
    sizes, distances = np.array([50, 100, 200, 400]), np.array([0.5, 0.31, 0.2, 0.13])
    found = practice.extrapolate_to_infinity(torch.tensor(sizes), torch.tensor(distances))
    np.testing.assert_allclose(found, scipy.stats.linregress(1 / sizes, distances).intercept, rtol=1e-12)


def test_extrapolation_removes_most_of_the_bias():
    """Of samples of one law in four dimensions, over 150 repetitions."""
    sizes, found = torch.tensor([50, 100, 200, 400]), []
    for size in sizes.tolist():
        samples = torch.tensor(rng.normal(size=(2, 150, size, 4)))
        found.append(torch.func.vmap(practice.frechet_feature_distance)(*samples).mean())
    found = torch.stack(found)
    assert (found[:-1] > found[1:]).all()
    assert abs(practice.extrapolate_to_infinity(sizes, found)) < found[-1] / 4


def test_copies_of_few_points_have_no_distance():
    """Four points in 64 dimensions: covariances of rank 3, in float32 features."""
    x = torch.tensor(rng.normal(size=(4, 64))).float()
    assert abs(practice.frechet_feature_distance(x, x.flip(0)).item()) < 1e-5
    y = x.clone().requires_grad_()
    practice.frechet_feature_distance(y, x + 1).backward()
    assert y.grad.isfinite().all()


def test_slopes_are_written_down_and_can_be_differentiated():
    """By torch's own differences, of first and second order, where eigenvalues are different."""
    mean = torch.zeros(3, dtype=torch.float64)
    a, b = (torch.tensor(np.cov(z[:, :3], rowvar=False)).requires_grad_() for z in (X, Y))
    assert torch.autograd.gradcheck(lambda a, b: practice.frechet_distance(mean, a, mean + 1, b), (a, b), eps=1e-7)
    distance = lambda a, b: practice.frechet_distance(mean, (a + a.mT) / 2, mean, (b + b.mT) / 2)  # noqa: E731
    assert torch.autograd.gradgradcheck(distance, (a, b), eps=1e-7, atol=1e-5)
