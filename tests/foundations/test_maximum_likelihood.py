"""Maximum likelihood compared with SciPy and torch.distributions."""

import numpy as np
import scipy.stats
import torch
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torch_kl

from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.foundations.maximum_likelihood import RECIPES, build
from practice_torch.foundations import maximum_likelihood as practice

rng = np.random.default_rng(0)
P, Q = (rng.dirichlet(np.ones(4), size=6) for _ in range(2))
MEAN_P, LOG_VAR_P, MEAN_Q, LOG_VAR_Q = (torch.tensor(rng.normal(size=(5, 3))) for _ in range(4))


def test_entropies_agree_with_scipy():
    """scipy.stats.entropy gives entropy of p, and divergence of p from q, in nats."""
    log_p, log_q = torch.tensor(np.log(P)), torch.tensor(np.log(Q))
    np.testing.assert_allclose(practice.entropy(log_p), scipy.stats.entropy(P, axis=1), rtol=1e-14)
    np.testing.assert_allclose(practice.kl_divergence(log_p, log_q), scipy.stats.entropy(P, Q, axis=1), rtol=1e-13)


def test_gaussian_divergence_agrees_with_torch_distributions():
    """KL of independent normals, summed over dimensions."""
    p = Independent(Normal(MEAN_P, (LOG_VAR_P / 2).exp()), 1)
    q = Independent(Normal(MEAN_Q, (LOG_VAR_Q / 2).exp()), 1)
    torch.testing.assert_close(
        practice.gaussian_kl_divergence(MEAN_P, LOG_VAR_P, MEAN_Q, LOG_VAR_Q), torch_kl(p, q), rtol=1e-13, atol=1e-13
    )


def test_gaussian_likelihood_agrees_with_scipy():
    """-log pdf of independent normals, summed over dimensions."""
    x = torch.tensor(rng.normal(size=(5, 3)))
    wanted = -scipy.stats.norm.logpdf(x, MEAN_P, (LOG_VAR_P / 2).exp()).sum(axis=1)
    np.testing.assert_allclose(practice.gaussian_negative_log_likelihood(x, MEAN_P, LOG_VAR_P), wanted, rtol=1e-13)


def test_gaussian_maximum_likelihood_agrees_with_scipy():
    """scipy.stats.norm.fit is maximum likelihood too."""
    x = torch.tensor(rng.normal(size=(9, 3)))
    mean, log_var = practice.gaussian_maximum_likelihood(x)
    wanted = np.array([scipy.stats.norm.fit(column) for column in x.numpy().T])
    np.testing.assert_allclose(mean, wanted[:, 0], rtol=1e-12)
    np.testing.assert_allclose((log_var / 2).exp(), wanted[:, 1], rtol=1e-12)


def test_a_table_of_pixels_counts_zeros_and_ones():
    """Of two batches, the threshold itself among the zeros."""
    recipe = RECIPES["pixels"]
    experiment = build(recipe, Described({"shape": [1, 1, 3]}))
    low, high = recipe.threshold, recipe.threshold + 0.1
    for images in ([[low, high, high], [low, low, high]], [[high, high, low]]):
        experiment({"image": torch.tensor(images).reshape(-1, 1, 1, 3)}, "count")
    assert experiment.counts.tolist() == [[2, 1, 1], [1, 2, 2]]
