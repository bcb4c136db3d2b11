"""Sparse codes compared with scikit-learn and torch."""

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import Lasso

from practice_torch.latent import sparse_autoencoder as practice

rng = np.random.default_rng(0)
DICTIONARY, DATA, PENALTY = rng.normal(size=(6, 10)), rng.normal(size=(5, 6)), 0.4


def _solved(steps=8000):
    x, dictionary = torch.tensor(DATA), torch.tensor(DICTIONARY)
    code, step_size = torch.zeros(5, 10, dtype=torch.float64), float(1 / torch.linalg.matrix_norm(dictionary, 2) ** 2)
    for _ in range(steps):
        code = practice.iterative_shrinkage_step(x, code, dictionary, penalty=PENALTY, step_size=step_size)
    return code.numpy()


def test_shrinkage_finds_the_lasso_of_scikit_learn():
    """sklearn.linear_model.Lasso, with a squared error divided by the number of equations, and sparse_encode."""
    found = _solved()
    assert (found == 0).sum() > 10
    for code, datum in zip(found, DATA, strict=True):
        lasso = Lasso(alpha=PENALTY / 6, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(DICTIONARY, datum)
        np.testing.assert_allclose(code, lasso.coef_, atol=1e-6)
    # sparse_encode wants atoms of norm 1
    norms = np.linalg.norm(DICTIONARY, axis=0)
    other = sparse_encode(DATA, (DICTIONARY / norms).T, algorithm="lasso_lars", alpha=PENALTY)
    objective = 0.5 * ((DATA - other @ (DICTIONARY / norms).T) ** 2).sum(1) + PENALTY * np.abs(other).sum(1)
    x, codes, step = torch.tensor(DATA), torch.zeros(5, 10, dtype=torch.float64), 0.02
    for _ in range(8000):
        codes = practice.iterative_shrinkage_step(x, codes, torch.tensor(DICTIONARY / norms), penalty=PENALTY, step_size=step)
    ours = 0.5 * ((DATA - codes.numpy() @ (DICTIONARY / norms).T) ** 2).sum(1) + PENALTY * np.abs(codes.numpy()).sum(1)
    np.testing.assert_allclose(ours, objective, rtol=1e-6)


def test_the_penalty_of_rates_is_the_entropy_of_scipy():
    """scipy.stats.entropy of two laws on two states."""
    active = torch.tensor(rng.uniform(0.05, 0.9, size=(7, 3)))
    rate = active.mean(0).numpy()
    wanted = scipy.stats.entropy(np.array([[0.1] * 3, [0.9] * 3]), np.stack([rate, 1 - rate]))
    np.testing.assert_allclose(practice.bernoulli_sparsity_penalty(active, target=0.1), wanted, rtol=1e-12)


def test_an_absolute_value_is_a_laplace_prior():
    """scipy.stats.laplace: codes differ by their log-densities as they do by the penalty."""
    code = rng.normal(size=(4, 3))
    log_density = scipy.stats.laplace(scale=0.5).logpdf(code).sum(1)
    ours = -practice.l1_penalty(torch.tensor(code)).numpy() / 0.5
    np.testing.assert_allclose(ours - ours[0], log_density - log_density[0], atol=1e-12)


def test_the_contractive_penalty_is_the_norm_of_a_jacobian():
    x, weight, bias = (torch.tensor(rng.normal(size=shape)) for shape in ((4, 3), (5, 3), (5,)))
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: (weight @ row + bias).sigmoid()))(x)
    np.testing.assert_allclose(practice.contractive_penalty(x, weight, bias), jacobian.square().sum((1, 2)), rtol=1e-12)


def test_the_encoder_begins_as_the_transpose_of_the_decoder():
    """So a datum along one column, which are far from parallel, is encoded by that unit, and comes back."""
    torch.manual_seed(0)
    network = practice.SparseAutoencoder(dim=50, units=20, k=1)
    torch.testing.assert_close(network.encoder.weight, network.decoder.weight.mT)
    directions = network.decoder.weight.mT.detach()
    again, code = network(2.0 * directions)
    torch.testing.assert_close(code, 2.0 * torch.eye(20), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(again, 2.0 * directions, rtol=1e-5, atol=1e-6)


def test_a_number_of_units_that_are_not_there_is_refused():
    with pytest.raises(ValueError, match="k is 5; it must be in 1..4, at most the number of units"):
        practice.SparseAutoencoder(dim=3, units=4, k=5)
