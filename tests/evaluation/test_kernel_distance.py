"""Kernel distances compared with scikit-learn and torchmetrics, and distances between samples of one distribution."""

from itertools import product

import numpy as np
import pytest
import sklearn.metrics.pairwise
import torch

from practice_torch.evaluation import kernel_distance as practice

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(30, 6)), rng.normal(loc=0.3, size=(25, 6))
PAIR = torch.tensor(X), torch.tensor(Y)


def test_kernels_are_scikit_learns():
    wanted = sklearn.metrics.pairwise.polynomial_kernel(X, Y, degree=3, gamma=1 / 6, coef0=1)
    np.testing.assert_allclose(practice.polynomial_kernel(*PAIR), wanted, rtol=1e-12)
    wanted = sklearn.metrics.pairwise.rbf_kernel(X, Y, gamma=1 / (2 * 1.7**2))
    np.testing.assert_allclose(practice.gaussian_kernel(*PAIR, bandwidth=1.7), wanted, rtol=1e-12)


@pytest.mark.peers("torchmetrics")
def test_the_kernel_inception_distance_is_torchmetrics():
    """Of one subset that holds all features, in any order."""
    import torchmetrics.image.kid as metric

    distance = metric.KernelInceptionDistance(feature=torch.nn.Identity(), subsets=1, subset_size=25)
    distance.update(PAIR[0][:25], real=True)
    distance.update(PAIR[1], real=False)
    wanted, _ = distance.compute()
    every = torch.arange(25)[None]
    torch.testing.assert_close(practice.kernel_inception_distance(*PAIR, every, every)[0], wanted.double(), rtol=1e-5, atol=0)


def test_the_kernel_inception_distance_in_blocks_is_that_of_whole_matrices(monkeypatch):
    """Blocks of rows that do not divide a subset, and their slopes."""
    subsets = [torch.stack([torch.randperm(count)[:20] for _ in range(3)]) for count in (30, 25)]
    x, y = (part.clone().requires_grad_() for part in PAIR)
    kernel = practice.polynomial_kernel
    wanted = torch.stack(
        [
            practice.unbiased_discrepancy(kernel(x[i], x[i]), kernel(y[j], y[j]), kernel(x[i], y[j]))
            for i, j in zip(*subsets, strict=True)
        ]
    )
    monkeypatch.setattr(practice, "_ROWS", 7)
    found = practice.kernel_inception_distance(x, y, *subsets)
    slopes = [torch.autograd.grad(each.sum(), (x, y)) for each in (found, wanted)]
    torch.testing.assert_close((found, *slopes[0]), (wanted, *slopes[1]), rtol=1e-10, atol=1e-13)


def test_the_expectation_is_the_distance_of_the_laws():
    """All 81 pairs of samples of two from laws on three points."""
    points = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
    p, q = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]], dtype=torch.float64)
    kernel = practice.gaussian_kernel(points, points, bandwidth=1.0)
    exact = (p - q) @ kernel @ (p - q)
    expected = 0.0
    for i, j, k, m in product(range(3), repeat=4):
        x, y = points[[i, j]], points[[k, m]]
        kernels = [practice.gaussian_kernel(a, b, bandwidth=1.0) for a, b in ((x, x), (y, y), (x, y))]
        expected += p[i] * p[j] * q[k] * q[m] * practice.unbiased_discrepancy(*kernels)
    torch.testing.assert_close(expected, exact, rtol=1e-12, atol=0)


def test_a_large_gaussian_kernel_takes_no_memory_for_differences():
    """1000 x 1000 pairs of 2048 features would be 16 GB of them."""
    x = torch.zeros(1000, 2048)
    kernel = practice.gaussian_kernel(x, x + 1, bandwidth=32.0)
    torch.testing.assert_close(kernel, torch.full((1000, 1000), float(np.exp(-1))))


def test_the_gradient_at_equal_points_is_zero():
    x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    practice.gaussian_kernel(x, torch.ones(4, 2, dtype=torch.float64), bandwidth=1.0).sum().backward()
    assert (x.grad == 0).all()
