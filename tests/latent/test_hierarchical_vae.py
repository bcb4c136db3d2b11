"""The hierarchical VAE's functions compared with torch.distributions, SciPy, a linear Gaussian model and quadrature."""

import numpy as np
import scipy.stats
import torch

from practice_torch.latent import hierarchical_vae as practice

GENERATOR = torch.Generator().manual_seed(0)


def _drawn(*shape):
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def test_each_level_is_a_divergence_of_torch():
    """torch.distributions.kl_divergence, for three levels of different widths."""
    means, log_vars, prior_means, prior_log_vars = ([_drawn(6, width) for width in (5, 3, 2)] for _ in range(4))
    columns = practice.hierarchical_kl(means, log_vars, prior_means, prior_log_vars)
    assert columns.shape == (6, 3)
    for column, m, v, n, w in zip(columns.T, means, log_vars, prior_means, prior_log_vars, strict=True):
        p, q = (torch.distributions.Normal(mean, (log_var / 2).exp()) for mean, log_var in ((m, v), (n, w)))
        torch.testing.assert_close(column, torch.distributions.kl_divergence(p, q).sum(1))


def test_the_product_has_the_density_of_scipy():
    """Products of two densities of scipy.stats.norm, divided by their integral, at 400 points."""
    mean_a, log_var_a, mean_b, log_var_b = (_drawn(1, 1) for _ in range(4))
    mean, log_var = practice.precision_weighted_product(mean_a, log_var_a, mean_b, log_var_b)
    deviation = float((log_var / 2).exp())
    z = float(mean) + deviation * np.linspace(-12, 12, 2401)
    densities = [scipy.stats.norm.pdf(z, float(m), float((v / 2).exp())) for m, v in ((mean_a, log_var_a), (mean_b, log_var_b))]
    product = densities[0] * densities[1]
    normalized = product / np.trapezoid(product, z)
    np.testing.assert_allclose(normalized, scipy.stats.norm.pdf(z, float(mean), deviation), rtol=1e-9, atol=1e-15)


def test_prior_and_likelihood_give_the_posterior_of_a_linear_model():
    """z_1 given z_2 and x by conditioning the joint Gaussian of all three; a posterior from below counts the prior twice."""
    s, r, above, seen = 0.7, 0.4, 1.3, -0.6
    covariance = np.array([[1.0, 1.0, 1.0], [1.0, 1 + s, 1 + s], [1.0, 1 + s, 1 + s + r]])  # of z_2, z_1 and x
    known = [0, 2]
    gain = covariance[1, known] @ np.linalg.inv(covariance[np.ix_(known, known)])
    wanted = gain @ [above, seen], covariance[1, 1] - gain @ covariance[known, 1]
    prior = torch.tensor([[above]]), torch.tensor([[s]]).log()
    mean, log_var = practice.precision_weighted_product(*prior, torch.tensor([[seen]]), torch.tensor([[r]]).log())
    np.testing.assert_allclose([mean.item(), log_var.exp().item()], wanted, rtol=1e-6)
    twice, _ = practice.precision_weighted_product(*prior, mean, log_var)
    assert abs(twice.item() - wanted[0]) > 0.1


def test_the_sum_of_the_levels_estimates_the_joint_divergence():
    """Two dependent levels, z_2 drawn from the posterior: within five standard errors; z_2 from the prior is off by more."""
    count, draw = 20_000, _drawn(20_000, 1)

    def rates(z):
        one = torch.ones_like(z)
        posterior = (0.5 * z + 1, 0.7 * one), ((0.25 * one).log(), (0.5 * one).log())
        return practice.hierarchical_kl(*posterior, (z, 0 * one), ((2 * one).log(), 0 * one)).sum(1)

    mean, covariance = torch.tensor([0.7, 1.35]).double(), torch.tensor([[0.5, 0.25], [0.25, 0.375]]).double()
    posterior = torch.distributions.MultivariateNormal(mean, covariance)
    prior = torch.distributions.MultivariateNormal(torch.zeros(2).double(), torch.tensor([[1.0, 1.0], [1.0, 3.0]]).double())
    joint = torch.distributions.kl_divergence(posterior, prior)
    estimates = rates(0.7 + 0.5**0.5 * draw)
    error = 5 * estimates.std() / count**0.5
    assert abs(estimates.mean() - joint) < error
    assert abs(rates(draw).mean() - joint) > error


def test_the_residual_form_is_a_divergence_of_torch():
    """torch.distributions.kl_divergence, whatever the prior's mean."""
    prior_mean, prior_log_var, delta_mean, delta_log_var = (_drawn(6, 4) for _ in range(4))
    p = torch.distributions.Normal(prior_mean + delta_mean, ((prior_log_var + delta_log_var) / 2).exp())
    wanted = torch.distributions.kl_divergence(p, torch.distributions.Normal(prior_mean, (prior_log_var / 2).exp())).sum(1)
    torch.testing.assert_close(practice.residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var), wanted)


def test_the_residual_form_keeps_its_digits_where_the_general_form_loses_them():
    """float32, a level that is almost unused: it agrees with float64, and the general form does not."""
    delta = torch.full((1, 1), 1e-5)
    means = torch.full((1, 1), 300.0)
    exact = practice.residual_gaussian_kl(delta.double(), delta.double(), 0 * delta.double())
    got = practice.residual_gaussian_kl(delta, delta, 0 * delta)
    general = practice.hierarchical_kl((means + delta,), (delta,), (means,), (0 * delta,))[:, 0]
    torch.testing.assert_close(got.double(), exact, rtol=1e-6, atol=0.0)
    assert abs(general.double() - exact) > 0.1 * exact


def test_weights_of_one_give_the_negative_elbo():
    """The loss of two levels compared with log-densities of torch.distributions, averaged over 50,000 draws."""
    count = 50_000
    z_2 = 0.3 + 0.8 * _drawn(count, 1)
    z_1 = 0.5 * z_2 + 0.6 * _drawn(count, 1)
    normal = torch.distributions.Normal
    log_likelihood = normal(z_1, 1.0).log_prob(torch.tensor(0.4)).sum(1)
    log_prior = normal(0.0, 1.0).log_prob(z_2) + normal(z_2, 1.5).log_prob(z_1)
    log_posterior = normal(0.3, 0.8).log_prob(z_2) + normal(0.5 * z_2, 0.6).log_prob(z_1)
    sampled = (log_posterior - log_prior).sum(1) - log_likelihood
    one = torch.ones_like(z_2)
    kl = practice.hierarchical_kl(
        (0.5 * z_2, 0.3 * one), (2 * (0.6 * one).log(), 2 * (0.8 * one).log()), (z_2, 0 * one), (2 * (1.5 * one).log(), 0 * one)
    )
    difference = practice.hierarchical_negative_elbo(-log_likelihood, kl, torch.ones(2).double()) - sampled
    assert abs(difference.mean()) < 5 * difference.std() / count**0.5
