"""Style transfer's functions compared with NumPy, SciPy and torch's optimizer."""

import numpy as np
import scipy.linalg
import torch

from practice_torch.adversarial import style_transfer as practice
from practice_torch.evaluation.frechet_distance import frechet_distance
from practice_torch.evaluation.kernel_distance import biased_discrepancy, polynomial_kernel

GENERATOR = torch.Generator().manual_seed(3)


def draw(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=GENERATOR, dtype=dtype)


def test_a_gram_matrix_is_numpys_product():
    maps = draw(2, 3, 4, 5)
    wanted = [np.tensordot(m, m, axes=((1, 2), (1, 2))) / 60 for m in maps.numpy()]
    np.testing.assert_allclose(practice.gram_matrix(maps), wanted, rtol=1e-13, atol=1e-15)


def test_a_gram_matrix_of_large_features_stays_in_the_range_of_half_precision():
    maps = torch.full((1, 2, 128, 128), 8.0, dtype=torch.float16)  # the sum over the positions alone is 2^20, beyond 65504
    torch.testing.assert_close(practice.gram_matrix(maps).float(), torch.full((1, 2, 2), 32.0))


def test_the_discrepancy_is_that_of_evaluations_kernels():
    """The polynomial kernel of degree 2 without a constant, times C^2."""
    x, y = draw(2, 6, 3), draw(2, 4, 3)
    settings = {"degree": 2, "coefficient": 0.0}
    for one, other, found in zip(x, y, practice.quadratic_kernel_discrepancy(x, y), strict=True):
        kernels = (polynomial_kernel(a, b, **settings) for a, b in ((one, one), (other, other), (one, other)))
        torch.testing.assert_close(found, 9 * biased_discrepancy(*kernels))


def test_total_variation_is_that_of_numpys_differences():
    x = draw(2, 3, 4, 5)
    wanted = [np.abs(np.diff(image, axis=1)).sum() + np.abs(np.diff(image, axis=2)).sum() for image in x.numpy()]
    np.testing.assert_allclose(practice.total_variation(x), wanted, rtol=1e-13)


def test_the_cheapest_map_costs_the_frechet_distance_of_the_second_moments():
    """scipy's roots give the map; it leaves no style loss, and its content loss is the distance of two centered Gaussians."""
    maps, style = draw(1, 3, 4, 5), draw(1, 3, 4, 5)
    gram, target = (practice.gram_matrix(m)[0] for m in (maps, style))
    root = scipy.linalg.sqrtm(gram.numpy())
    inverse = np.linalg.inv(root)
    carrying = torch.tensor(np.real(inverse @ scipy.linalg.sqrtm(root @ target.numpy() @ root) @ inverse))
    moved = torch.einsum("cd,bdhw->bchw", carrying, maps)
    assert float(practice.style_loss(moved, target[None])) < 1e-20
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(practice.content_loss(moved, maps)[0], frechet_distance(zero, gram, zero, target))


def test_descent_ends_at_the_style():
    """A step of descent on the features is a linear map, and descent reaches the style's Gram matrix."""
    maps, target = draw(2, 3, 4, 5), practice.gram_matrix(draw(2, 3, 4, 5))
    maps.requires_grad_()
    optimizer = torch.optim.LBFGS([maps], max_iter=200, tolerance_grad=1e-14, tolerance_change=1e-16)

    def closure():
        optimizer.zero_grad()
        loss = practice.style_loss(maps, target).sum()
        loss.backward()
        return loss

    first = float(optimizer.step(closure).detach())
    assert float(practice.style_loss(maps, target).detach().sum()) < 1e-8 * first
