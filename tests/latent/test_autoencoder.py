"""Principal components compared with scikit-learn and with gradient descent."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA, TruncatedSVD

from practice_torch.latent import autoencoder as practice

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 2.0


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_projections_are_those_of_scikit_learn(rank):
    """sklearn.decomposition.PCA, and TruncatedSVD of the centered data."""
    got = practice.principal_subspace_reconstruction(torch.tensor(X), rank=rank).numpy()
    fitted = PCA(rank).fit(X)
    np.testing.assert_allclose(got, fitted.inverse_transform(fitted.transform(X)), rtol=1e-11, atol=1e-11)
    centered = X - X.mean(0)
    by_svd = TruncatedSVD(rank, algorithm="arpack", random_state=0).fit(centered)
    np.testing.assert_allclose(got - X.mean(0), by_svd.inverse_transform(by_svd.transform(centered)), atol=1e-9)


def test_the_error_is_the_variance_that_scikit_learn_leaves():
    """explained_variance_ is divided by N - 1."""
    variances = PCA().fit(X).explained_variance_ * 39 / 40
    for rank in range(6):
        got = practice.principal_subspace_error(torch.tensor(X), rank=rank)
        np.testing.assert_allclose(got, variances[rank:].sum(), rtol=1e-11, atol=1e-13)


def test_gradient_descent_finds_the_principal_subspace():
    """From a small start, past the saddles: the error and the reconstructions, not the codes."""
    x = torch.tensor(X - X.mean(0))
    encoder, decoder = (torch.tensor(rng.normal(size=shape) * 0.1).requires_grad_() for shape in ((2, 5), (5, 2)))
    optimizer = torch.optim.LBFGS([encoder, decoder], max_iter=400, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = practice.squared_reconstruction_error(x, practice.linear_autoencoder(x, encoder, decoder, x.mean(0))).mean()
        value.backward()
        return value

    optimizer.step(loss)
    found = practice.linear_autoencoder(x, encoder, decoder, x.mean(0)).detach()
    best = practice.principal_subspace_reconstruction(x, rank=2)
    np.testing.assert_allclose(loss().item(), practice.principal_subspace_error(x, rank=2), rtol=1e-9)
    np.testing.assert_allclose(found, best, atol=1e-3)
    codes = x @ encoder.detach().mT
    assert abs(torch.corrcoef(codes.mT)[0, 1]) > 0.01, "nothing makes the codes uncorrelated"


def test_few_data_have_a_finite_gradient():
    """Three rows in five dimensions leave three equal eigenvalues, zero."""
    x = torch.tensor(X[:3]).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: practice.principal_subspace_reconstruction(x, rank=1), x)
    assert torch.autograd.gradcheck(lambda x: practice.principal_subspace_error(x, rank=1), x)
