"""The VAE's terms compared with torch.distributions and SciPy, and properties of its network."""

import numpy as np
import scipy.optimize
import scipy.stats
import torch
from torch.distributions import Bernoulli, Independent, Normal
from torch.distributions import kl_divergence as torch_kl

from practice_torch.latent import vae as practice

rng = np.random.default_rng(0)
X = torch.tensor((rng.uniform(size=(5, 4)) < 0.5).astype(float))
LOGITS = torch.tensor(3 * rng.normal(size=(5, 4)))
MEAN, LOG_VAR = (torch.tensor(rng.normal(size=(5, 3))) for _ in range(2))


def test_bernoulli_agrees_with_torch_distributions():
    """Independent pixels, binary."""
    wanted = Independent(Bernoulli(logits=LOGITS), 1).log_prob(X)
    torch.testing.assert_close(practice.bernoulli_log_likelihood(X, LOGITS), wanted, rtol=1e-13, atol=1e-13)


def test_bernoulli_agrees_with_binary_cross_entropy():
    """Gray pixels too, and the gradient."""
    gray = torch.tensor(rng.uniform(size=(5, 4)))
    logits = LOGITS.clone().requires_grad_()
    wanted = -torch.nn.functional.binary_cross_entropy_with_logits(logits, gray, reduction="none").sum(-1)
    got = practice.bernoulli_log_likelihood(gray, logits)
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (got, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-13, atol=1e-13)


def test_bernoulli_curvature_at_a_logit_of_zero():
    """-1/4, also at 0 itself, where forms with |l| forget half of it or all."""
    hessian = torch.autograd.functional.hessian(
        lambda logits: practice.bernoulli_log_likelihood(torch.ones(1, 2), logits).sum(), torch.zeros(1, 2)
    )
    torch.testing.assert_close(hessian.reshape(2, 2), -torch.eye(2) / 4)


def test_gaussian_agrees_with_scipy():
    """Independent normals."""
    x = torch.tensor(rng.normal(size=(5, 3)))
    wanted = scipy.stats.norm.logpdf(x, MEAN, (LOG_VAR / 2).exp()).sum(axis=1)
    np.testing.assert_allclose(practice.gaussian_log_likelihood(x, MEAN, LOG_VAR), wanted, rtol=1e-13)


def test_divergence_agrees_with_torch_distributions():
    """From the standard normal."""
    q = Independent(Normal(MEAN, (LOG_VAR / 2).exp()), 1)
    p = Independent(Normal(torch.zeros_like(MEAN), torch.ones_like(MEAN)), 1)
    torch.testing.assert_close(practice.kl_to_standard_normal(MEAN, LOG_VAR), torch_kl(q, p), rtol=1e-13, atol=1e-13)


def test_calibrated_likelihood_agrees_with_a_search_over_variances():
    """scipy's scalar minimizer finds no better variance, and the same one."""
    x, mean = rng.normal(size=(2, 5, 3))
    for got, residual in zip(
        practice.calibrated_gaussian_negative_log_likelihood(torch.tensor(x), torch.tensor(mean)), x - mean, strict=True
    ):
        best = scipy.optimize.minimize_scalar(lambda v, r=residual: -scipy.stats.norm.logpdf(r, scale=np.exp(v / 2)).sum())
        np.testing.assert_allclose(got, best.fun, rtol=1e-12)


def test_terms_work_under_vmap_and_per_example_gradients():
    """As needed by per-example gradients and ensembles."""

    def loss_of_one(*row):
        return practice.negative_elbo(*(a[None] for a in row)).sum()

    per_example = torch.func.vmap(torch.func.grad(loss_of_one, argnums=(1, 2, 3)))
    leaves = [a.clone().requires_grad_() for a in (LOGITS, MEAN, LOG_VAR)]
    wanted = torch.autograd.grad(practice.negative_elbo(X, *leaves).sum(), leaves)
    for got, want in zip(per_example(X, LOGITS, MEAN, LOG_VAR), wanted, strict=True):
        torch.testing.assert_close(got, want)


def test_the_encoder_is_called_back_from_an_extreme_log_variance():
    """The log-variance stays within its limit, and is still moved by the KL there: a clamp would have no gradient."""
    network = practice.VariationalAutoencoder(num_pixels=4, hidden_dims=(5,), latent_dim=3).double()
    with torch.no_grad():
        network.log_var.bias.fill_(25.0)
    mean, log_var = network.encode(X)
    assert log_var.max() < 10
    practice.kl_to_standard_normal(mean, log_var).sum().backward()
    assert (network.log_var.bias.grad > 1).all()


def test_the_network_draws_its_latent_with_the_noise_it_is_given():
    """Without noise the mean is decoded; with noise, the mean plus the standard deviation times it."""
    network = practice.VariationalAutoencoder(num_pixels=4, hidden_dims=(6, 5), latent_dim=3).double()
    mean, log_var = network.encode(X)
    noise = torch.tensor(rng.normal(size=(5, 3)))
    torch.testing.assert_close(network(X, torch.zeros_like(mean))[0], network.decode(mean))
    torch.testing.assert_close(network(X, noise)[0], network.decode(mean + (log_var / 2).exp() * noise))
