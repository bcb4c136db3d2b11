"""The rate's parts and a Gaussian's total correlation compared with torch.distributions, SciPy and our likelihoods."""

import math

import numpy as np
import scipy.stats
import torch

from practice_torch.latent import beta_vae as practice
from practice_torch.latent.vae import kl_to_standard_normal
from practice_torch.latent.vae_inference import aggregate_posterior_log_density

GENERATOR = torch.Generator().manual_seed(0)


def _drawn(*shape):
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def _codes(data=6, latents=3):
    """Means and log-variances of an encoder, and a code of each datum."""
    mean, log_var = 1.5 * _drawn(data, latents), _drawn(data, latents) - 1
    return mean + (log_var / 2).exp() * _drawn(data, latents), mean, log_var


def _covariances():
    factor = _drawn(4, 3, 3)
    return factor @ factor.mT + 0.1 * torch.eye(3, dtype=torch.float64)


def test_densities_are_those_of_scipy():
    """scipy.stats.norm, for every pair and latent."""
    z, mean, log_var = _drawn(4, 3), _drawn(5, 3), _drawn(5, 3)
    wanted = scipy.stats.norm.logpdf(z.numpy()[:, None], mean.numpy(), np.exp(log_var.numpy() / 2))
    np.testing.assert_allclose(practice.pairwise_latent_log_density(z, mean, log_var), wanted, rtol=1e-12)


def test_the_parts_of_a_whole_data_set_are_those_of_a_mixture():
    """MixtureSameFamily of torch.distributions gives the density of all codes, and aggregate_posterior_log_density does."""
    z, mean, log_var = _codes()
    uniform = torch.full((6, 6), -math.log(6), dtype=torch.float64)
    weights = torch.distributions.Categorical(logits=torch.zeros(6, dtype=torch.float64))
    normals = torch.distributions.Normal(mean, (log_var / 2).exp())
    joint = torch.distributions.MixtureSameFamily(weights, torch.distributions.Independent(normals, 1)).log_prob(z)
    each = torch.stack(
        [
            torch.distributions.MixtureSameFamily(weights, torch.distributions.Normal(m, (v / 2).exp())).log_prob(column)
            for m, v, column in zip(mean.T, log_var.T, z.T, strict=True)
        ]
    ).sum(0)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    information, dependence, coordinates = practice.kl_decomposition(z, mean, log_var, uniform)
    torch.testing.assert_close(information, normals.log_prob(z).sum(1) - joint)
    torch.testing.assert_close(dependence, joint - each)
    torch.testing.assert_close(coordinates, each - prior)
    torch.testing.assert_close(aggregate_posterior_log_density(z, mean, log_var), joint)


def test_the_mean_of_the_parts_over_many_codes_is_the_rate():
    """2,000 codes of each datum: their sum is the closed form within five standard errors, and no mean part is negative."""
    _, mean, log_var = _codes(data=4, latents=2)
    uniform = torch.full((4, 4), -math.log(4), dtype=torch.float64)
    z = mean + (log_var / 2).exp() * _drawn(2000, 4, 2)
    parts = torch.stack([torch.stack(practice.kl_decomposition(of, mean, log_var, uniform)) for of in z]).mean(2)  # [draws, 3]
    error = parts.sum(1).std() / math.sqrt(len(parts))
    assert abs(parts.sum(1).mean() - kl_to_standard_normal(mean, log_var).mean()) < 5 * error
    assert (parts.mean(0) > 0).all()
    assert parts.mean(0)[0] <= math.log(4)


def test_the_estimated_density_of_a_batch_is_unbiased():
    """20,000 batches of 3 of 8 data that contain the first: within five standard errors; 1/B is off by more."""
    densities = torch.rand(8, generator=GENERATOR, dtype=torch.float64) * torch.tensor([8.0] + [1.0] * 7)
    order = torch.rand(20_000, 7, generator=GENERATOR).argsort(1)[:, :2] + 1
    batches = torch.cat([densities[0].expand(len(order), 1), densities[order]], 1)
    weights = practice.stratified_log_importance(batch_size=3, dataset_size=8).exp().double()
    estimates = batches @ weights[0]
    error = 5 * estimates.std() / math.sqrt(len(estimates))
    assert abs(estimates.mean() - densities.mean()) < error
    assert abs(batches.mean() - densities.mean()) > error


def test_the_total_correlation_is_a_divergence_of_gaussians():
    """torch.distributions: from the covariance to its diagonal, in three dimensions."""
    covariance = _covariances()
    zero = torch.zeros(3, dtype=torch.float64)
    gaussian, independent = (
        torch.distributions.MultivariateNormal(zero, matrix)
        for matrix in (covariance, torch.diag_embed(covariance.diagonal(dim1=1, dim2=2)))
    )
    wanted = torch.distributions.kl_divergence(gaussian, independent)
    torch.testing.assert_close(practice.gaussian_total_correlation(covariance), wanted)


def test_the_total_correlation_is_what_entropies_lack():
    """SciPy's differential entropies: of the coordinates, less that of all."""
    covariance = _covariances()
    wanted = [
        sum(scipy.stats.norm(scale=math.sqrt(variance)).entropy() for variance in np.diag(matrix))
        - scipy.stats.multivariate_normal(cov=matrix).entropy()
        for matrix in covariance.numpy()
    ]
    np.testing.assert_allclose(practice.gaussian_total_correlation(covariance), wanted, rtol=1e-10)


def test_single_precision_of_a_large_batch_stays_near_the_exact_parts():
    """float32 against float64, 128 sharp posteriors: what is added up are densities relative to their own."""
    z, mean, log_var = _codes(data=128, latents=8)
    log_var = log_var - 5
    z = mean + (log_var / 2).exp() * _drawn(128, 8)
    weights = practice.stratified_log_importance(batch_size=128, dataset_size=60_000)
    wanted = practice.kl_decomposition(z, mean, log_var, weights.double())
    got = practice.kl_decomposition(z.float(), mean.float(), log_var.float(), weights.float())
    for part, exact in zip(got, wanted, strict=True):
        torch.testing.assert_close(part.double(), exact, rtol=1e-4, atol=1e-3)
