"""The bounds compared with SciPy, and in a toy Gaussian model."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from practice_torch.experiments.latent.elbo import BoundExperiment, BoundRecipe
from practice_torch.latent import elbo as practice

rng = np.random.default_rng(0)
LOG_JOINT, LOG_Q = (rng.normal(scale=2.0, size=(6, 5)) for _ in range(2))
PAIR = torch.tensor(LOG_JOINT), torch.tensor(LOG_Q)


def test_importance_weighted_bound_agrees_with_scipy():
    """scipy.special.logsumexp with weights 1/S."""
    wanted = scipy.special.logsumexp(LOG_JOINT - LOG_Q, axis=1, b=1 / 5)
    np.testing.assert_allclose(practice.importance_weighted_bound(*PAIR), wanted, rtol=1e-14)


def test_weights_agree_with_scipy():
    """scipy.special.softmax over the samples of each x."""
    wanted = scipy.special.softmax(LOG_JOINT - LOG_Q, axis=1)
    np.testing.assert_allclose(practice.normalized_importance_weights(*PAIR), wanted, rtol=1e-13)


@pytest.mark.parametrize("order", [0.0, 0.5, 2.0, 5.0])
def test_renyi_bound_agrees_with_the_power_mean_of_scipy(order):
    """The logarithm of scipy.stats.pmean of the weights, exponent 1 - order."""
    wanted = np.log(scipy.stats.pmean(np.exp(LOG_JOINT - LOG_Q), 1 - order, axis=1))
    np.testing.assert_allclose(practice.renyi_bound(*PAIR, order=order), wanted, rtol=1e-12)


def test_renyi_bound_at_order_one_agrees_with_the_geometric_mean_of_scipy():
    """scipy.stats.gmean of the weights."""
    wanted = np.log(scipy.stats.gmean(np.exp(LOG_JOINT - LOG_Q), axis=1))
    np.testing.assert_allclose(practice.renyi_bound(*PAIR, order=1.0), wanted, rtol=1e-12)


@pytest.mark.parametrize("order", [0.5, 2.0])
def test_renyi_bound_of_a_gaussian_model_meets_the_closed_form(order):
    """z ~ N(0,1), x|z ~ N(z,1), q = N(m,s^2): the bound of the model over q's whole distribution, and the average over quantiles.

    log E_q w^(1-a) / (1-a) = log p(x) - D_a(q || p(z|x)), and the Renyi divergence of two Gaussians is elementary.
    """
    x, m, s = 1.0, 0.3, 0.6  # narrower than the posterior: the tails of both power means are light
    z = scipy.stats.norm.ppf((np.arange(400_000) + 0.5) / 400_000, m, s)
    log_joint = scipy.stats.norm.logpdf(z) + scipy.stats.norm.logpdf(x, z)
    got = practice.renyi_bound(*(torch.tensor(a)[None] for a in (log_joint, scipy.stats.norm.logpdf(z, m, s))), order=order)
    variance = order * 0.5 + (1 - order) * s**2  # the posterior is N(x/2, 1/2)
    divergence = (
        math.log(math.sqrt(0.5) / s) + math.log(0.5 / variance) / (2 * (order - 1)) + order * (m - x / 2) ** 2 / (2 * variance)
    )
    assert float(got) == pytest.approx(scipy.stats.norm.logpdf(x, 0, math.sqrt(2)) - divergence, abs=2e-5)


def test_functions_run_compiled_and_under_vmap():
    """torch.func transforms see each row alone; the result is that of the batch."""
    per_row = torch.vmap(lambda a, b: practice.renyi_bound(a[None], b[None], order=0.5)[0])(*PAIR)
    torch.testing.assert_close(per_row, practice.renyi_bound(*PAIR, order=0.5))


@pytest.mark.parametrize("order", [0.0, 1.0])
def test_the_experiment_trains_on_the_bound_of_its_order(order):
    """The loss is minus the bound of the same draws, averaged over the batch."""
    recipe = BoundRecipe(order=order, samples=3, hidden_dims=(6,), latent_dim=2, evaluation_samples=200)
    torch.manual_seed(0)
    experiment = BoundExperiment(recipe, (1, 2, 3))
    image = torch.rand(5, 1, 2, 3, generator=torch.Generator().manual_seed(1))
    experiment.generator = torch.Generator().manual_seed(2)
    loss, _ = experiment({"image": image}, "train")
    experiment.generator = torch.Generator().manual_seed(2)
    pair = experiment._log_densities((image.flatten(1) > 0.5).float(), 3)
    bound = practice.elbo(*pair) if order == 1 else practice.importance_weighted_bound(*pair)
    torch.testing.assert_close(loss, -bound.mean())


def test_the_experiments_bound_tends_to_the_log_likelihood_of_its_decoder():
    """A one-dimensional z: log p(x) by the trapezoid rule over z, against L_S with many samples."""
    recipe = BoundRecipe(samples=3, hidden_dims=(6,), latent_dim=1, evaluation_samples=20_000)
    torch.manual_seed(0)
    experiment = BoundExperiment(recipe, (1, 2, 3)).double()
    experiment.generator = torch.Generator().manual_seed(0)
    x = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    z = torch.linspace(-9.0, 9.0, 4001, dtype=torch.float64)[:, None]
    logits = experiment.decoder(z).detach()
    log_likelihood = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    log_joint = log_likelihood + torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 0])
    wanted = torch.trapezoid(log_joint.exp(), z[:, 0]).log()
    log_w = torch.sub(*experiment._log_densities(x, 20_000)).detach()
    estimate, spread = log_w.exp().mean(), log_w.exp().std() / 20_000**0.5
    assert abs(estimate - wanted.exp()) <= 5 * spread
