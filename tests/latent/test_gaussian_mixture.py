"""Mixtures and the two steps of expectation-maximization compared with scikit-learn, SciPy and torch.distributions."""

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.mixture import GaussianMixture

from practice_torch.experiments.latent.gaussian_mixture import RECIPES
from practice_torch.latent import gaussian_mixture as practice
from tests.support import tiny

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(size=(30, 2)) @ rng.normal(size=(2, 2)) + center for center in ([0, 0], [4, 1], [-3, 5])])
MIXTURE = tuple(
    torch.tensor(a)
    for a in (np.log([0.2, 0.5, 0.3]), rng.normal(size=(3, 2)) * 3, np.tril(rng.normal(size=(3, 2, 2))) + 2 * np.eye(2))
)
POINTS = torch.tensor(X)


def of_scikit_learn(log_weights, means, scale_tril):
    """GaussianMixture with these parameters; it keeps inverse factors, transposed."""
    model = GaussianMixture(len(means))
    model.weights_, model.means_ = log_weights.exp().numpy(), means.numpy()
    model.covariances_ = (scale_tril @ scale_tril.mT).numpy()
    model.precisions_cholesky_ = torch.linalg.inv(scale_tril).mT.numpy()
    return model


def test_densities_and_posteriors_are_those_of_scikit_learn():
    """GaussianMixture.score_samples and predict_proba."""
    model = of_scikit_learn(*MIXTURE)
    np.testing.assert_allclose(practice.mixture_log_density(POINTS, *MIXTURE), model.score_samples(X), rtol=1e-11)
    np.testing.assert_allclose(practice.log_responsibilities(POINTS, *MIXTURE).exp(), model.predict_proba(X), atol=1e-13)


def test_the_m_step_is_that_of_scikit_learn():
    """GaussianMixture._m_step, with its regularization."""
    shares = practice.log_responsibilities(POINTS, *MIXTURE)
    model = of_scikit_learn(*MIXTURE).set_params(reg_covar=0.01)
    model._m_step(X, shares.numpy())
    log_weights, means, factor = practice.m_step(POINTS, shares, regularization=0.01)
    np.testing.assert_allclose(log_weights.exp(), model.weights_, rtol=1e-12)
    np.testing.assert_allclose(means, model.means_, rtol=1e-11)
    np.testing.assert_allclose(factor @ factor.mT, model.covariances_, rtol=1e-10, atol=1e-12)


def test_the_density_is_that_of_torch_and_scipy():
    """torch.distributions.MixtureSameFamily and scipy.stats.multivariate_normal."""
    log_weights, means, factor = MIXTURE
    each = torch.distributions.MultivariateNormal(means, scale_tril=factor)
    law = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=log_weights), each)
    torch.testing.assert_close(practice.mixture_log_density(POINTS, *MIXTURE), law.log_prob(POINTS))
    densities = practice.component_log_density(POINTS, means, factor)
    for k in range(3):
        wanted = scipy.stats.multivariate_normal(means[k], (factor[k] @ factor[k].mT)).logpdf(X)
        np.testing.assert_allclose(densities[:, k], wanted, rtol=1e-11)


def test_a_fit_climbs_to_what_scikit_learn_reaches():
    """200 steps from the same start; the likelihood never falls, and ends where scikit-learn's does."""
    now, reached = MIXTURE, []
    for _ in range(200):
        reached.append(float(practice.mixture_log_density(POINTS, *now).mean()))
        now = practice.m_step(POINTS, practice.log_responsibilities(POINTS, *now), regularization=1e-6)
    assert np.diff(reached).min() > -1e-9
    start = of_scikit_learn(*MIXTURE)
    model = GaussianMixture(
        3,
        weights_init=start.weights_,
        means_init=start.means_,
        tol=0,
        max_iter=200,
        reg_covar=1e-6,
        precisions_init=np.linalg.inv(start.covariances_),
    )
    with pytest.warns(UserWarning, match="did not converge"):
        model.fit(X)
    assert reached[-1] == pytest.approx(model.score(X), abs=1e-9)
    gradients = torch.func.grad(lambda *given: practice.mixture_log_density(POINTS, *given).mean(), argnums=(1, 2))(*now)
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-4  # the regularization moves the fixed point by this


@pytest.mark.parametrize("points", [1, 255, 5000])
def test_blocks_do_not_show(monkeypatch, points):
    """Blocks of a few points give what one block gives."""
    x = torch.randn(points, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = practice.log_responsibilities(x, *MIXTURE)
    stepped = practice.m_step(x, whole, regularization=0.1)
    monkeypatch.setattr(practice, "BLOCK", 60)
    torch.testing.assert_close(practice.log_responsibilities(x, *MIXTURE), whole)
    for got, wanted in zip(practice.m_step(x, whole, regularization=0.1), stepped, strict=True):
        torch.testing.assert_close(got, wanted)


def test_the_requested_number_of_images_is_drawn():
    experiment, _ = tiny.built("latent/gaussian_mixture", tiny.small(RECIPES["digits"]))
    assert experiment.sample(100)["draws"].images.shape == (100, 1, 8, 8)
