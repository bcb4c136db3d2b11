"""Natural gradients compared with SciPy, NumPy and automatic differentiation."""

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from practice_torch.reinforcement import natural_gradient as practice

rng = np.random.default_rng(0)


def _curved(size):
    root = rng.normal(size=(size, size))
    return torch.tensor(root @ root.T + np.eye(size))


@pytest.mark.parametrize("iterations", [1, 3, 5, 8])
def test_conjugate_gradients_are_those_of_scipy(iterations):
    """scipy.sparse.linalg.cg, stopped after as many iterations; the only warning is that it was stopped."""
    matrix, target = _curved(8), torch.tensor(rng.normal(size=8))
    found = practice.conjugate_gradient(target, matrix.mv, iterations=iterations)
    wanted, _ = scipy.sparse.linalg.cg(matrix.numpy(), target.numpy(), rtol=0.0, maxiter=iterations)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)


def test_a_tolerance_stops_where_scipy_stops():
    """rtol of SciPy, which counts its iterations."""
    matrix, target = _curved(8), torch.tensor(rng.normal(size=8))
    counted, products = [], []

    def product(vector):
        products.append(vector)
        return matrix.mv(vector)

    found = practice.conjugate_gradient(target, product, iterations=50, tolerance=0.05)
    wanted, _ = scipy.sparse.linalg.cg(matrix.numpy(), target.numpy(), rtol=0.05, callback=counted.append)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)
    assert len(products) == len(counted) < 8


def test_as_many_iterations_as_different_eigenvalues_solve_the_equation():
    """Ten equations with three eigenvalues: numpy.linalg.solve after three iterations, not after two."""
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    matrix = rotation @ np.diag([1.0] * 4 + [3.0] * 3 + [10.0] * 3) @ rotation.T
    target = rng.normal(size=10)
    wanted = np.linalg.solve(matrix, target)
    after = [practice.conjugate_gradient(torch.tensor(target), torch.tensor(matrix).mv, iterations=n).numpy() for n in (2, 3)]
    np.testing.assert_allclose(after[1], wanted, rtol=1e-10)
    assert np.abs(after[0] - wanted).max() > 1e-3 * np.abs(wanted).max()


def test_the_step_is_that_of_numpy():
    """numpy.linalg.solve, and the length that meets the bound."""
    fisher, gradient = _curved(6), torch.tensor(rng.normal(size=6))
    direction = np.linalg.solve(fisher.numpy(), gradient.numpy())
    wanted = direction * np.sqrt(2 * 0.01 / (gradient.numpy() @ direction))
    np.testing.assert_allclose(practice.natural_step(gradient, fisher, maximum_kl=0.01).numpy(), wanted, rtol=1e-10)


def test_the_product_is_the_hessian_of_the_divergence_times_the_vector():
    """torch's double backward through the mean KL from the old policy, which is detached."""
    features, vector = torch.tensor(rng.normal(size=(7, 3))), torch.tensor(rng.normal(size=(4, 3)))
    theta = torch.tensor(rng.normal(size=(4, 3))).requires_grad_()
    log_probs = (features @ theta.mT).log_softmax(1)
    divergence = torch.nn.functional.kl_div(log_probs, log_probs.detach(), log_target=True, reduction="batchmean")
    (slope,) = torch.autograd.grad(divergence, theta, create_graph=True)
    assert slope.abs().max() < 1e-15  # flat at the old policy
    (wanted,) = torch.autograd.grad((slope * vector).sum(), theta)
    found = practice.linear_fisher_vector_product(vector, features, (features @ theta.mT).detach(), damping=0.0)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


def test_a_trust_region_step_without_a_matrix():
    """Conjugate gradients, the length, and the line search, on a softmax policy: the return rises, within the true divergence."""
    features, worth = torch.tensor(rng.normal(size=(40, 3))), torch.tensor(rng.normal(size=(40, 4)))
    theta = torch.zeros(12, dtype=torch.float64)

    def logits(parameters):
        return features @ parameters.view(4, 3).mT

    def gain(parameters):
        return (logits(parameters).softmax(1) * worth).sum(1).mean()

    for _ in range(10):
        old = theta

        def divergence(parameters, old=old):
            before, after = logits(old).log_softmax(1), logits(parameters).log_softmax(1)
            return (before.exp() * (before - after)).sum(1).mean()

        def product(vector, old=old):
            return practice.linear_fisher_vector_product(vector.view(4, 3), features, logits(old), damping=1e-3).flatten()

        gradient = torch.func.grad(gain)(old)
        direction = practice.conjugate_gradient(gradient, product, iterations=10)
        step = direction * (2 * 0.05 / direction.dot(product(direction))).sqrt()
        theta, taken = practice.backtracking_line_search(old, step, gain, divergence, maximum_kl=0.05)
        assert taken > 0
        assert gain(theta) > gain(old)
        assert 0.01 < divergence(theta) <= 0.05
    assert gain(theta) > gain(torch.zeros_like(theta)) + 0.3


@pytest.mark.parametrize("transform", [torch.func.vmap, lambda f: torch.compile(f, fullgraph=True, backend="eager")])
def test_where_values_cannot_be_read_the_results_are_the_same(transform):
    """Neither loop ends early under vmap or compile: what is left of it changes nothing."""
    targets = torch.tensor(rng.normal(size=(3, 5)))
    weights = torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0], dtype=torch.float64)

    def solved(target):
        return practice.conjugate_gradient(target, lambda v: weights * v, iterations=6)

    def searched(target):
        return practice.backtracking_line_search(
            target, -2.2 * target, lambda x: -x.square().sum(), lambda x: (x - target).square().sum(), maximum_kl=4.0
        )[0]

    for function in (solved, searched):
        wanted = torch.stack([function(target) for target in targets])
        transformed = transform(function)
        found = transformed(targets) if transform is torch.func.vmap else torch.stack([transformed(t) for t in targets])
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)
