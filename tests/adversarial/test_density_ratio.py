"""Ratios by classification and by ridge regression compared with scikit-learn, and their use."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.adversarial import density_ratio as practice
from theory_jax.adversarial import density_ratio as theory

RNG = np.random.default_rng(7)


@pytest.fixture(params=[(practice, torch.from_numpy), (theory, jnp.asarray)], ids=["torch", "jax"])
def wing(request):
    """A function of the wing by name, from NumPy arrays to NumPy arrays."""
    module, of_numpy = request.param
    return lambda name, *arrays, **how: np.asarray(getattr(module, name)(*map(of_numpy, arrays), **how))


def test_the_logistic_loss_is_torchs_cross_entropy(wing):
    logits, labels = np.linspace(-60, 60, 25), RNG.integers(0, 2, 25)
    wanted = binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(labels).double(), reduction="none")
    np.testing.assert_allclose(wing("logistic_ratio_loss", logits, labels), wanted, rtol=1e-12, atol=1e-13)


def test_a_classifier_of_scikit_learn_gives_the_ratio_of_two_gaussians(wing):
    """N(1, 1) against N(0, 1), three times as many draws of the first: log r = x - 1/2."""
    x = np.concatenate([RNG.normal(1.0, 1.0, 60_000), RNG.normal(0.0, 1.0, 20_000)])
    labels = np.repeat([1, 0], [60_000, 20_000])
    classifier = LogisticRegression(C=1e6).fit(x[:, None], labels)
    places = np.linspace(-1, 2, 7)
    found = wing("log_ratio_from_classifier", classifier.decision_function(places[:, None]), log_prior_odds=np.log(3).item())
    np.testing.assert_allclose(found, places - 0.5, atol=0.1)
    # and the loss is least at its logits: the gradient in both coefficients is zero
    logits = torch.from_numpy(classifier.decision_function(x[:, None])).requires_grad_()
    practice.logistic_ratio_loss(logits, torch.from_numpy(labels)).mean().backward()
    assert abs(logits.grad.sum()) < 1e-4 and abs(logits.grad @ torch.from_numpy(x)) < 1e-4


def test_the_fit_is_scikit_learns_ridge_regression(wing):
    """Its normal equations in another scale: M draws from q, and targets with correlations of M times the means of p."""
    k_p, k_q = RNG.uniform(size=(30, 4)), RNG.uniform(size=(20, 4))
    targets = np.linalg.lstsq(k_q.T, 20 * k_p.mean(0), rcond=None)[0]
    wanted = Ridge(alpha=20 * 0.3, fit_intercept=False, tol=1e-12).fit(k_q, targets).coef_
    np.testing.assert_allclose(wing("kernel_ratio_fit", k_p, k_q, ridge=0.3), wanted, rtol=1e-8)


def test_a_fitted_ratio_of_two_gaussians_is_near_the_true_one(wing):
    """Gaussian bumps as features: E_q r = 1, and the ratio exp(x/2 - 1/8) of N(1/2, 1) to N(0, 1) where there are draws."""
    x_p, x_q, centers = RNG.normal(0.5, 1, 5000), RNG.normal(0, 1, 5000), np.linspace(-2.5, 3, 12)

    def features(x):
        return np.exp(-((x[:, None] - centers) ** 2) / 2)

    weights = wing("kernel_ratio_fit", features(x_p), features(x_q), ridge=1e-3)
    places = np.linspace(-1, 1.5, 6)
    np.testing.assert_allclose(features(places) @ weights, np.exp(places / 2 - 0.125), atol=0.15)
    assert np.mean(features(x_q) @ weights) == pytest.approx(1.0, abs=0.02)


def test_rejected_samples_follow_the_data(wing):
    """Draws from a generator with the wrong frequencies; those that are kept have the right ones."""
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    draws = RNG.choice(3, size=40_000, p=q)
    log_ratio = np.log(p / q)[draws]
    kept = draws[np.log(RNG.uniform(size=40_000)) < wing("rejection_log_acceptance", log_ratio, log_bound=float(np.log(2)))]
    assert len(kept) / 40_000 == pytest.approx(0.5, abs=0.015)
    np.testing.assert_allclose(np.bincount(kept) / len(kept), p, atol=0.015)


def test_a_classifiers_advantage_is_at_most_the_total_variation():
    """The two-sample test: the best classifier's accuracy is 1/2 + TV/2; of equal laws it is a coin's."""
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    for other, wanted in ((q, 0.5 + 0.25 / 2), (p, 0.5)):
        draws = np.concatenate([RNG.choice(3, size=20_000, p=law) for law in (p, other)])
        labels = np.repeat([1, 0], 20_000)
        half = RNG.permutation(40_000)
        train, test = half[:20_000], half[20_000:]
        classifier = LogisticRegression(C=1e6).fit(np.eye(3)[draws[train]], labels[train])
        accuracy = np.mean(classifier.predict(np.eye(3)[draws[test]]) == labels[test])
        assert accuracy == pytest.approx(wanted, abs=0.015)
